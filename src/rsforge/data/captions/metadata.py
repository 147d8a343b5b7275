"""The captions of a folder of images, from ``metadata.jsonl`` or ``metadata.csv`` in it or in its parent."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rsforge.data.captions.image_folder import METADATA
from rsforge.data.captions.tables import KEYS, NO_UNICODE, SIDE, collect_texts, expand_lists
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.names.sides import side_of_word
from rsforge.data.tables.characters import CONVERT
from rsforge.data.tables.table import find_column, read_table
from rsforge.errors import RsforgeError

TABLES = (METADATA, "metadata.csv", "metadata.tsv", "metadata.parquet")
"""The names of tables of captions, as the library ``datasets`` reads them beside images; the first that is there."""
MAX_LINE = 1 << 24
NO_NAME = "it is no JSON object with a file_name"
NO_UTF8 = "it is not UTF-8"
_PARTNERS = {"patch_id", "s1_name"}
WRITE = "`rsforge data parquet-to-jsonl` and `rsforge data captions-to-jsonl` write one"


class CaptionRow(NamedTuple):
    """A line of the table, counted from 1: a file and its captions; ``reason`` says why there are none, or is empty.

    ``side`` is the subset (train, val, test) that the row states, if it does.
    """

    number: int
    name: str
    texts: tuple[str, ...]
    reason: str = ""
    side: str = ""


def find_metadata(folder: Path) -> list[Path]:
    """The first of ``TABLES`` in ``folder``, else those of the folders in it, else in its parent; RSF-D006 for none."""
    tables = find_tables(folder) or find_inner_tables(folder) or find_tables(folder.absolute().parent)
    if tables:
        return tables
    what = f"there is no {METADATA} in {folder} or in its parent"
    raise RsforgeError("RSF-D006", what, where=str(folder), fix=WRITE)


def find_tables(folder: Path) -> list[Path]:
    """The table of ``folder``, as a list of one; none where it has none."""
    present = [folder / name for name in TABLES if (folder / name).is_file()]
    return [path for path in present if not _lists_partners(path)][:1]


def _lists_partners(path: Path) -> bool:
    """Whether a table is that of BigEarthNet, which pairs patches and names no images."""
    if path.suffix.lower() != ".parquet":
        return False
    from rsforge.data.captions.parquet import list_columns  # tables of text need no pyarrow

    with suppress(RsforgeError, OSError):  # reported by whoever reads the table
        return set(list_columns(path)) >= _PARTNERS
    return False


def find_inner_tables(folder: Path) -> list[Path]:
    """The tables of the folders in ``folder``, such as ``train/metadata.csv``; only where it has none itself."""
    if not folder.is_dir() or find_tables(folder):
        return []
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [table for path in inner for table in find_tables(path)]


def read_metadata(path: Path, column: str = "text") -> list[CaptionRow]:
    """The rows of the table; captions are those of ``column``, a text or a list of texts.

    RSF-D006 for a line that is too long, a table without file names, and where no row has the column: the message
    names those that there are.
    """
    rows, seen, keys = [], set[str](), set[str]()
    for number, record in _read_records(path):
        keys.update(record if isinstance(record, dict) else ())
        rows.append(_parse(number, record, column, seen))
    if rows and all(row.reason in (NO_NAME, NO_UTF8) for row in rows):
        raise _nameless_error(path, rows, keys)
    if rows and column not in seen:
        what = f"{path.name} has no column {column}"
        found = _show_columns(seen) or "no column but file_name"
        raise RsforgeError("RSF-D006", what, where=str(path), found=found, fix="name it with --caption-column")
    return rows


def _nameless_error(path: Path, rows: list[CaptionRow], keys: Collection[str]) -> RsforgeError:
    """RSF-D006 for a table of which no row names an image; ``keys`` are those of its records."""
    number = next((row.number for row in rows if row.reason == NO_UTF8), None)
    if number is not None:
        what = f"{path.name} cannot be read: it is not UTF-8"
        return RsforgeError("RSF-D006", what, where=f"{path}:{number}", fix=CONVERT)
    what, fix = f"{path.name} has no column file_name", "write the name of each row's image under file_name"
    found = _show_columns(keys) or "no JSON objects"
    return RsforgeError("RSF-D006", what, where=str(path), found=found, fix=fix if keys else WRITE)


def _show_columns(names: Collection[str]) -> str:
    return f"columns {', '.join(sorted(names)[:8])}" if names else ""


def read_names(path: Path) -> list[CaptionRow]:
    """The rows of the table by file, with what stands in the first column of captions that is known, if any."""
    rows = []
    for number, record in _read_records(path):
        columns = list(record) if isinstance(record, dict) else []
        rows.append(_parse(number, record, find_column(columns, ("text", *KEYS)) or "", set()))
    return rows


def describe_table(path: Path) -> str:
    """How a table that is no JSON lines was read, in one sentence; empty where nothing is to say."""
    return "" if path.suffix.lower() in (".jsonl", ".parquet") else read_table(path).sentence


def _read_records(path: Path) -> Iterator[tuple[int, Any]]:
    """(line, record) of JSON lines, or of a table that has a column file_name; for what is no record, None or why."""
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(_read_lines(path), 1):
            if line.strip():
                yield number, _read_line(line.removeprefix(b"\xef\xbb\xbf"))
        return
    if path.suffix.lower() == ".parquet":
        from rsforge.data.captions.parquet import read_texts  # tables of text need no pyarrow

        columns, records = read_texts(path)
    else:
        table = read_table(path)
        columns, records = table.columns, table.records()
    name = find_column(columns, ("file_name", "filename", "file", "image"))
    if name is None:
        what = f"{path.name} has no column file_name"
        raise RsforgeError("RSF-D006", what, where=str(path), found=f"columns {', '.join(columns)[:200]}", fix=WRITE)
    for number, cells in records:
        yield number, {**{key: cell for key, cell in cells.items() if key != name}, "file_name": cells[name]}


def _read_line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        return NO_UTF8
    except (ValueError, RecursionError):
        return None


def _read_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                what = f"{path.name} has a line of more than {MAX_LINE:,} bytes"
                raise RsforgeError("RSF-D006", what, where=str(path), fix=WRITE)
            yield line


def _parse(number: int, record: Any, column: str, seen: set[str]) -> CaptionRow:
    if not isinstance(record, dict) or not isinstance(record.get("file_name"), str):
        return CaptionRow(number, "", (), NO_UTF8 if record == NO_UTF8 else NO_NAME)
    seen.update(key for key in record if key != "file_name")
    try:
        texts = tuple(text.strip() for text in expand_lists(collect_texts(record.get(column))))
    except UnicodeError:
        return CaptionRow(number, record["file_name"], (), NO_UNICODE)
    except (ValueError, RecursionError):
        texts = ()
    kept = tuple(dict.fromkeys(text for text in texts if text))
    side = side_of_word(record.get(SIDE))
    return CaptionRow(number, record["file_name"], kept, "" if kept else "it has no caption", side)


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
