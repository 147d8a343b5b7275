"""Parquet files of captioned images, and what is extracted from them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

LINE = "data parquet-to-jsonl --parquet-path {} --output-dir {} --resolution 16 --json"


ODD = "a\ttab\nline: 'x' \"y\" \\n \0 東京 \u2028 \u241b0009"


def encode_picture(k: int, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), (k * 37 % 256, k * 11 % 256, k % 256)).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def write_captioned(path: Path, images: list[bytes | None], captions: list[list[str] | None]) -> Path:
    cells = [image and {"bytes": image, "path": "same.jpg"} for image in images]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns = {"filename": ["same.jpg"] * len(cells), "captions": pa.array(captions, pa.list_(pa.string()))}
    pq.write_table(pa.table({**columns, "image": pa.array(cells, kind)}), path, row_group_size=40)
    return path


def read_metadata(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metadata.jsonl").read_text("utf-8").split("\n")[:-1]]


def read_all(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name != ".lock"}
