"""Small Parquet files of images and captions."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rsforge.data.captions.parquet import open_shard, read_rows
from rsforge.errors import RsforgeError

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def write_table(path: Path, **columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=5)
    return path


def shard_rows(path: Path, start: int = 0, **given):
    return list(read_rows([open_shard(path, **given)], start))


def assert_refused(call, *parts: str) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        call()
    assert caught.value.code == "RSF-D006"
    message = f"{caught.value.what} {caught.value.found} {caught.value.fix}"
    assert all(part in message for part in parts), message
    return caught.value


def structs(*values: bytes | None) -> pa.Array:
    return pa.array([{"bytes": v, "path": None} for v in values], IMAGE)
