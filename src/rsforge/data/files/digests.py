"""Digests of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rsforge.data.files.mask_paths import find_mask
from rsforge.data.files.stack_paths import find_members, list_files
from rsforge.errors import from_os_error


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file; of a set of files, and of a raster with a mask beside it, that of theirs."""
    if members := find_members(path):
        return json_digest([file_digest(member) for member in members])
    try:
        with path.open("rb") as file:
            own = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise from_os_error(error) from error
    return _join_mask(path, own)


def image_digest(path: Path, data: bytes) -> str:
    """SHA-256 of the bytes ``data`` of an image that have been read; with masks beside it, that of all of them."""
    own = hashlib.sha256(data).hexdigest()
    for file in list_files(path):
        own = _join_mask(file, own)
    return own


def _join_mask(path: Path, own: str) -> str:
    """A digest that tells the mask beside a file too."""
    mask = find_mask(path)
    return json_digest([own, file_digest(mask)]) if mask else own


def json_digest(value: Any) -> str:
    """SHA-256 of a value as compact JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
