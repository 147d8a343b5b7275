"""Digests of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rsforge.errors import from_os_error


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise from_os_error(error) from error


def json_digest(value: Any) -> str:
    """SHA-256 of a value as compact JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
