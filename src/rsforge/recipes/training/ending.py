"""How a run ended, left in its folder for the one that goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from rsforge import durable
from rsforge.errors import RsforgeError
from rsforge.recipes.training.output_names import ENDING


@contextlib.contextmanager
def recorded_ending(folder: Path) -> Iterator[None]:
    """Write the code and the words of an error that ends the run; a run that begins has no ending yet."""
    (folder / ENDING).unlink(missing_ok=True)
    try:
        yield
    except RsforgeError as error:
        with contextlib.suppress(OSError):
            durable.write_json(folder / ENDING, {"code": error.code, "message": error.what, "where": error.where})
        raise


def read_ending(folder: Path) -> str:
    """The code that the last run in ``folder`` ended with; empty when it ended well or was killed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return str(json.loads((folder / ENDING).read_text("utf-8")).get("code", ""))
    return ""
