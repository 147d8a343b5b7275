"""Temporary files that killed writers have left."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from rsforge.durable import LOCK, TEMPORARY


def sweep(folder: Path) -> None:
    """Remove temporary files of killed writers from ``folder`` and its subfolders; the caller holds the folder's lock.

    Subfolders with a lock file of their own belong to other runs and are skipped; links are not followed.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry)
            if entry.is_dir(follow_symlinks=False):
                # A folder that may not be entered holds nothing of this run.
                with contextlib.suppress(PermissionError):
                    if not (path / LOCK).exists():
                        sweep(path)
            elif entry.name.startswith(TEMPORARY):
                path.unlink(missing_ok=True)


def sweep_for(targets: Iterable[Path]) -> None:
    """Remove temporary files of ``targets`` whose writer is dead; no lock is needed, files of live processes stay."""
    names: dict[Path, set[str]] = {}
    for target in targets:
        names.setdefault(target.parent, set()).add(target.name)
    for folder in filter(Path.is_dir, names):
        for path in folder.glob(f"{TEMPORARY}*"):
            pid, _, name = path.name.removeprefix(TEMPORARY).partition("-")
            if name in names[folder] and pid.isdecimal() and _is_process_dead(int(pid)):
                with contextlib.suppress(OSError):  # a leftover that cannot be removed disturbs nobody
                    path.unlink()


def _is_process_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
