"""The Parquet set that ``rsforge data parquet-to-jsonl`` takes where nobody names one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.errors import RsforgeError

PLACES = (".", "data")
SHARD = re.compile(r"(.*)-\d+-of-(\d+)\.parquet", re.IGNORECASE)
SHOWN = 4


def find_set(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The one set of the current folder and its ``data``: a file, or the shards of one name as a glob.

    RSF-U001 where there are several: none of them is chosen.
    """
    if "parquet_path" in given:
        return {}, ""
    base = Path(str(given.get("base_dir", "")))
    files = [path for place in PLACES for path in sorted((base / place).glob("*")) if _is_parquet(path)]
    sets = dict.fromkeys(_set_of(path.relative_to(base)) for path in files)
    if len(sets) > 1:
        more = f" and {len(sets) - SHOWN} more" if len(sets) > SHOWN else ""
        raise RsforgeError(
            "RSF-U001", "there are several Parquet sets, and none of them was named", where="--parquet-path",
            found=", ".join(list(sets)[:SHOWN]) + more, fix="name one with --parquet-path",
        )  # fmt: skip
    return {"parquet_path": next(iter(sets))} if sets else {}, "the one Parquet set here and in data"


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet" and path.is_file() and not durable.is_temporary(path)


def _set_of(path: Path) -> str:
    """The file, or for a shard the glob of all shards of its name."""
    shard = SHARD.fullmatch(path.name)
    return str(path.with_name(f"{shard[1]}-*-of-{shard[2]}{path.suffix}")) if shard else str(path)
