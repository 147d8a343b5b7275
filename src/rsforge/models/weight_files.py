"""Files of weights that other projects wrote, read without executing them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from rsforge.errors import RsforgeError, from_os_error


def read_weights(path: Path, *, name: str, fix: str) -> Mapping[str, Tensor]:
    """The tensors of a file of torch.save by their names; ``name`` is what they are, ``fix`` what to do without them.

    RSF-C001 where there is no file, RSF-E002 or RSF-E008 where it cannot be opened, RSF-C003 where it is no plain
    dictionary of tensors.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise RsforgeError("RSF-C001", f"{name} not found", where=str(path), fix=fix) from None
    except OSError as error:
        raise from_os_error(error) from error
    with file:
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # foreign and truncated bytes fail in many ways, none of them worth telling
            raise _foreign(path, type(error).__name__, fix) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise _foreign(path, type(state).__name__, fix)
    return state


def _foreign(path: Path, found: str, fix: str) -> RsforgeError:
    return RsforgeError("RSF-C003", "not a plain dictionary of weights", where=str(path), found=found, fix=fix)


def misfit(path: Path, error: KeyError | RuntimeError, *, name: str, fix: str) -> RsforgeError:
    """RSF-C007 for weights whose loading ended in ``error``: one is missing or has another shape."""
    found = f"no weights named {error}" if isinstance(error, KeyError) else str(error).splitlines()[-1].strip()
    return RsforgeError("RSF-C007", f"these are not {name}", where=str(path), found=found, fix=fix)
