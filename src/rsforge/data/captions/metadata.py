"""The captions of a folder of images, from ``metadata.jsonl`` in it or in its parent."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rsforge.data.captions.image_folder import METADATA
from rsforge.data.captions.tables import collect_texts
from rsforge.data.io.safe_paths import resolve_inside
from rsforge.errors import RsforgeError

MAX_LINE = 1 << 24
WRITE = "`rsforge data parquet-to-jsonl` and `rsforge data captions-to-jsonl` write one"


class CaptionRow(NamedTuple):
    """A line of the table, counted from 1: a file and its captions; ``reason`` says why there are none, or is empty."""

    number: int
    name: str
    texts: tuple[str, ...]
    reason: str = ""


def find_metadata(folder: Path) -> Path:
    """``metadata.jsonl`` of ``folder``, else of its parent; RSF-D006 where neither has one."""
    places = (folder / METADATA, folder.absolute().parent / METADATA)
    for path in places:
        if path.is_file():
            return path
    what = f"there is no {METADATA} in {folder} or in its parent"
    raise RsforgeError("RSF-D006", what, where=str(folder), fix=WRITE)


def read_metadata(path: Path, column: str = "text") -> list[CaptionRow]:
    """The rows of the table; captions are those of ``column``, a text or a list of texts.

    RSF-D006 for a line that is too long, and where no row has the column: the message names those that there are.
    """
    rows, seen = [], set[str]()
    for number, line in enumerate(_read_lines(path), 1):
        if line.strip():
            rows.append(_parse(number, line, column, seen))
    if rows and column not in seen:
        what = f"{path.name} has no column {column}"
        found = f"columns {', '.join(sorted(seen)[:8])}" if seen else "no JSON objects"
        raise RsforgeError("RSF-D006", what, where=str(path), found=found, fix="name it with --caption-column")
    return rows


def _read_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                what = f"{path.name} has a line of more than {MAX_LINE:,} bytes"
                raise RsforgeError("RSF-D006", what, where=str(path), fix=WRITE)
            yield line


def _parse(number: int, line: bytes, column: str, seen: set[str]) -> CaptionRow:
    record: Any = None
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
    if not isinstance(record, dict) or not isinstance(record.get("file_name"), str):
        return CaptionRow(number, "", (), "it is no JSON object with a file_name")
    seen.update(key for key in record if key != "file_name")
    try:
        texts = tuple(text.strip() for text in collect_texts(record.get(column)))
    except (ValueError, RecursionError):
        texts = ()
    kept = tuple(dict.fromkeys(text for text in texts if text))
    return CaptionRow(number, record["file_name"], kept, "" if kept else "it has no caption")


def name_below(folder: Path, table: Path, name: str, *, where: str) -> str:
    """What ``name`` of a row is called from ``folder``: it is written from there, or from where the ``table`` lies.

    RSF-D005 for a name that leaves both.
    """
    path = resolve_inside(folder, name, where=where)
    if not path.exists() and not table.parent.samefile(folder):
        beside = resolve_inside(table.parent, name, where=where)
        with suppress(ValueError):
            path = folder / beside.resolve().relative_to(folder.resolve())
    return posixpath.normpath(path.relative_to(folder).as_posix())
