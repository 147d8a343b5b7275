"""Whether a result can be written, checked before any work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rsforge import durable
from rsforge.errors import RsforgeError, from_os_error


def check_writable(place: Path, name: str, option: str) -> None:
    """RSF-E002 or RSF-E008, before the long work, where ``name`` could not be written into the folder ``place``."""
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    fix = f"name a place that you may write to with {option}"
    if not there.is_dir():
        raise RsforgeError("RSF-E008", f"{there} is not a folder", where=option, fix=fix)
    if not os.access(there, os.W_OK | os.X_OK):
        raise RsforgeError("RSF-E002", f"{name} cannot be written to {place}", where=str(place), fix=fix)


def check_makeable(place: Path, name: str, option: str) -> None:
    """``check_writable``, tried out: RSF-E002 or RSF-E008 where ``name`` could not be written into ``place``.

    Some file systems let root pass every check and hold no files; what is made for the trial is gone at once.
    """
    check_writable(place, name, option)
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    try:
        Path(tempfile.mkdtemp(prefix=durable.TEMPORARY, dir=there)).rmdir()
    except OSError as error:
        refusal = from_os_error(error)
        refusal.where, refusal.fix = f"{option} {place}", f"name a place that you may write to with {option}"
        raise refusal from error
