"""``settings.json``: the command that began a run, those that resumed it, and the settings as they stand."""

from __future__ import annotations

import contextlib
import json
import platform
from pathlib import Path
from typing import Any

import torch

from rsforge import __version__, durable
from rsforge.recipes import output_names
from rsforge.recipes.console import Console


def write_record(folder: Path, settings: dict[str, Any], console: Console, *, fresh: bool) -> None:
    """Write the record of a run; one that goes on keeps its first command and adds its own to ``resumed_by``."""
    record: dict[str, Any] = {
        "command": console.command,
        "settings": settings,
        "origins": console.origins,
        "environment": {"rsforge": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    former = {} if fresh else _read_record(folder / output_names.SETTINGS)
    if isinstance(first := former.get("command"), str):
        earlier = former.get("resumed_by")
        record["resumed_by"] = [*(earlier if isinstance(earlier, list) else []), console.command]
        record["command"] = first
    durable.write_json(folder / output_names.SETTINGS, record)


def _read_record(path: Path) -> dict[str, Any]:
    """What stands in ``path``; nothing where it is damaged or is not there."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        record = json.loads(path.read_text("utf-8"))
        return record if isinstance(record, dict) else {}
    return {}
