"""File names written in tables: only files in the data folder may be opened."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from rsforge.data.files.stack_paths import find_members
from rsforge.errors import RsforgeError

LEAVES = "it is a link that leaves the data folder"


def resolve_inside(root: Path, name: str, *, where: str) -> Path:
    """The path of ``name``, as written in the table ``where``, relative to ``root``.

    Backslashes are separators. Absolute names, drives, ``..`` past the root, what no file can be called and links that
    lead out of the root (``is_inside``) raise RSF-D005. The file need not exist.
    """
    plain = PurePosixPath(name.replace("\\", "/"))
    drive = any(":" in part for part in plain.parts[:1])
    if name.strip() and _can_be_called(name) and not plain.is_absolute() and not drive:
        path = root / plain
        if is_inside(root, path):
            return path
    raise RsforgeError("RSF-D005", f"a path leaves the data folder {root}", where=where, found=repr(name)[:200])


def _can_be_called(name: str) -> bool:
    """Whether the file system takes ``name``: no NUL, and of halves of surrogate pairs those alone that are bytes."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def is_inside(root: Path, path: Path) -> bool:
    """Whether ``path``, with its links followed, lies in ``root``, or is a blob of the hub's cache that ``root`` is of.

    The cache of a hub has CACHE/snapshots/REVISION with links to CACHE/blobs, which hold this repository alone.
    """
    if members := find_members(path):
        return all(is_inside(root, member) for member in members)
    real, own = path.resolve(), root.resolve()
    if real.is_relative_to(own):
        return True
    caches = [parent.parent for parent in (own, *own.parents) if parent.name == "snapshots"]
    return any(real.parent == cache / "blobs" and (cache / "blobs").is_dir() for cache in caches[:1])


def find_stray(root: Path, path: Path) -> str:
    """Why a link may not be followed: it leads out of ``root``, or to itself; empty for what is no such link."""
    if members := find_members(path):
        return next((stray for member in members if (stray := find_stray(root, member))), "")
    if not path.is_symlink():
        return ""
    try:
        inside = is_inside(root, path)
        path.stat()
    except FileNotFoundError:
        return "" if inside else LEAVES
    except (OSError, RuntimeError):  # RuntimeError: of resolve() before Python 3.13
        return "it is a link that leads to itself"
    return "" if inside else LEAVES
