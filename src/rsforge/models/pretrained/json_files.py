"""The JSON files of pretrained models, and their keys: taken, without effect here, or refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rsforge.errors import RsforgeError, from_os_error

ANY = None
"""Stands for the accepted values of a key that changes nothing here."""
Neutral = Mapping[str, tuple[Any, ...] | None]


def read_object(path: Path) -> dict[str, Any]:
    """The object of a JSON file. RSF-C001 where there is none, RSF-C003 where it is no JSON object."""
    try:
        if path.exists() and not path.is_file():
            raise RsforgeError("RSF-C003", f"{path.name} is not a regular file", where=str(path), fix=_FIX)
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        what = f"{path.parent.name}/{path.name} not found"
        raise RsforgeError("RSF-C001", what, where=str(path), fix=_FIX) from None
    except OSError as error:
        raise from_os_error(error) from error
    except (ValueError, RecursionError) as error:
        what = f"{path.name} is no JSON"
        raise RsforgeError("RSF-C003", what, where=str(path), found=str(error)[:160], fix=AGAIN) from error
    if not isinstance(value, dict):
        what, found = f"{path.name} is no JSON object", type(value).__name__
        raise RsforgeError("RSF-C003", what, where=str(path), found=found, fix=AGAIN)
    return value


AGAIN = "get the file again, or name another model"
"""The way out where a file of another program is damaged."""
_FIX = "name the folder of a complete model"


def check_keys(config: Mapping[str, Any], taken: Collection[str], neutral: Neutral, *, where: str) -> None:
    """RSF-C004 for a key that would change results and is not done here: neither ``taken`` nor ``neutral``.

    ``neutral`` gives the values under which a key changes nothing, or ``ANY``. Keys of a leading underscore are notes.
    """
    for key, value in config.items():
        if key in taken or key.startswith("_"):
            continue
        if key in neutral:
            accepted = neutral[key]
            if accepted is ANY or any(_equal(value, one) for one in accepted):
                continue
        raise unsupported_error(f"{key} {json.dumps(value)[:80]} is not supported", where=where)


def _equal(value: Any, accepted: Any) -> bool:
    return isinstance(value, bool) == isinstance(accepted, bool) and bool(value == accepted)


def unsupported_error(what: str, *, where: str) -> RsforgeError:
    """RSF-C004 for a pretrained model that is not of the two families."""
    fix = "Stable Diffusion 1.x and 2.x for text-to-image are read; name such a model"
    return RsforgeError("RSF-C004", what, where=where, fix=fix)
