"""Digests of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rsforge.errors import from_os_error


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise from_os_error(error) from error
