"""Digests of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rsforge.data.files.stack_paths import find_members
from rsforge.errors import from_os_error


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file; of a set of files that of theirs."""
    if members := find_members(path):
        return json_digest([file_digest(member) for member in members])
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise from_os_error(error) from error


def json_digest(value: Any) -> str:
    """SHA-256 of a value as compact JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
