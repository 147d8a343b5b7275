"""Images with captions out of Parquet files: a few rows at a time, whatever the files' size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from rsforge.data.captions.tables import KEYS, texts
from rsforge.data.io.image_reader import MAX_BYTES, UnreadableError, first_line, read_bytes
from rsforge.data.io.safe_paths import inside
from rsforge.errors import RsforgeError

BATCH = 8  # rows in memory at once
BUFFER = 1 << 20
_IMAGES = ("image", "img", "images", "jpg", "jpeg", "png", "tif", "picture", "bytes", "image_bytes", "image.bytes")
_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view)


@dataclass(frozen=True)
class Shard:
    """One file: its rows, the columns to read, and a digest of its footer, which lists where everything lies."""

    path: Path
    rows: int
    image: str
    captions: str
    leaves: tuple[str, ...]
    digest: str


class Row(NamedTuple):
    """One row, ``number`` counted from 0 over all shards; ``reason`` says why it cannot be used, else it is empty."""

    number: int
    place: str
    image: bytes
    captions: list[str]
    reason: str = ""
    code: str = "RSF-D007"


def find_shards(place: str) -> list[Path]:
    """The Parquet files that ``place`` means, sorted: a file, a folder searched at any depth, or a glob; RSF-D006."""
    path = Path(place)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".parquet" and p.is_file())
    elif path.exists():
        found = [path]
    else:
        found = sorted(p for p in _globbed(path) if p.is_file())
    if not found:
        fix = "give a file, a folder of them, or a glob in quotes: --parquet-path 'data/train-*.parquet'"
        raise RsforgeError("RSF-D006", f"no Parquet file found at {place}", where="--parquet-path", fix=fix)
    return found


def _globbed(pattern: Path) -> Iterator[Path]:
    anchor = Path(pattern.anchor)
    try:
        yield from anchor.glob(str(pattern.relative_to(anchor)))
    except ValueError:  # no pattern at all
        return


def open_shard(path: Path, *, image: str | None = None, captions: str | None = None) -> Shard:
    """Read the footer of ``path`` and find its columns, those named or those of a usual layout; RSF-D006."""
    with _readable(path), _opened(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        leaves = [file.schema.column(i).path for i in range(metadata.num_columns)]
        digest = _footer_digest(path)
    image = _column(path, schema, image, "image", _image_columns(schema))
    captions = _column(path, schema, captions, "caption", _caption_columns(schema))
    wanted = tuple(leaf for leaf in leaves if _needed(leaf, schema, image, captions))
    _check_sizes(path, metadata, {leaves.index(leaf) for leaf in wanted})
    return Shard(path, metadata.num_rows, image, captions, wanted, digest)


def read_rows(shards: Sequence[Shard], start: int = 0) -> Iterator[Row]:
    """The rows of all shards in their order, from number ``start`` on; RSF-D006 for damage on the way."""
    first = 0
    for shard in shards:
        if first + shard.rows > start:
            yield from _shard_rows(shard, first, max(start - first, 0))
        first += shard.rows


def _shard_rows(shard: Shard, first: int, start: int) -> Iterator[Row]:
    with _readable(shard.path), _opened(shard.path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        group = done = 0
        while group < len(sizes) and done + sizes[group] <= start:
            done += sizes[group]
            group += 1
        batches = file.iter_batches(BATCH, range(group, len(sizes)), list(shard.leaves), use_threads=False)
        for batch in batches:
            for index in range(max(start - done, 0), batch.num_rows):
                yield _row(shard, batch, index, first + done + index, done + index)
            done += batch.num_rows
    if done != shard.rows:
        raise _unusable(shard.path, f"it declares {shard.rows} rows and has {done}")


def _row(shard: Shard, batch: Any, index: int, number: int, line: int) -> Row:
    place = f"{shard.path.name} row {line + 1}"
    try:
        captions = texts(batch.column(shard.captions)[index].as_py())
        image = _image(shard.path, batch.column(shard.image)[index], place)
    except UnicodeDecodeError:
        return Row(number, place, b"", [], "a text in it is not UTF-8")
    except UnreadableError as error:
        return Row(number, place, b"", [], str(error))
    except RsforgeError as error:
        return Row(number, place, b"", [], f"{error.what}: {error.found}", error.code)
    reason = "" if any(text.strip() for text in captions) else "it has no caption"
    return Row(number, place, image, captions, reason)


def _image(path: Path, cell: Any, place: str) -> bytes:
    """The bytes in a cell, or of the file below the table's folder that it names."""
    names = {f.name for f in cell.type} if pa.types.is_struct(cell.type) else set()
    value = cell.as_py() if not names else None
    if names and cell.is_valid:
        value = cell["bytes"].as_py() if "bytes" in names else None
        if value is None and "path" in names:
            value = cell["path"].as_py()
    if isinstance(value, str):
        return read_bytes(inside(path.parent, value, where=place))
    if not value:
        raise UnreadableError("it has no image")
    return bytes(value)


def _image_columns(schema: pa.Schema) -> list[str]:
    binary = [f.name for f in schema if _is(f.type, _BINARY) and f.name not in KEYS]
    structs = [
        f.name for f in schema
        if pa.types.is_struct(f.type) and any(c.name == "bytes" and _is(c.type, _BINARY) for c in f.type)
    ]  # fmt: skip
    found = structs or binary
    return found if len(found) == 1 else [name for name in found if name.lower() in _IMAGES]


def _caption_columns(schema: pa.Schema) -> list[str]:
    named = {f.name.lower(): f.name for f in schema if _is_caption(f.type) or _is(f.type, _BINARY)}
    found = [named[key] for key in KEYS if key in named]
    lists = [f.name for f in schema if _is(f.type, _LIST) and _is_caption(f.type)]
    return found[:1] or lists


def _is_caption(kind: pa.DataType) -> bool:
    if _is(kind, _LIST):
        return _is_caption(kind.value_type)
    if pa.types.is_struct(kind):
        return any(c.name in KEYS and _is(c.type, _TEXT) for c in kind)
    return _is(kind, _TEXT)


def _is(kind: pa.DataType, tests: Sequence[Any]) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(kind) for test in tests)


def _column(path: Path, schema: pa.Schema, given: str | None, what: str, found: list[str]) -> str:
    there = ", ".join(f"{f.name} ({str(f.type)[:60]})" for f in schema)[:600]
    if given is not None:
        kind = schema.field(given).type if schema.names.count(given) == 1 else None
        texts_too = kind is not None and (_is_caption(kind) or _is(kind, _BINARY))
        if texts_too or (what == "image" and kind is not None and pa.types.is_struct(kind)):
            return given
        raise _unusable(path, f"{given!r} is no column of {what}s", f"it has {there}", f"give --{what}-column NAME")
    if len(found) != 1:
        reason = f"more than one column may be the {what}s" if found else f"no column of {what}s"
        raise _unusable(path, reason, f"it has {there}", f"give --{what}-column NAME")
    return found[0]


def _needed(leaf: str, schema: pa.Schema, image: str, captions: str) -> bool:
    if leaf == captions or leaf.startswith(f"{captions}."):
        return True
    if pa.types.is_struct(schema.field(image).type):
        return leaf in (f"{image}.bytes", f"{image}.path")
    return leaf == image


def _check_sizes(path: Path, metadata: Any, columns: set[int]) -> None:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        declared = sum(group.column(i).total_uncompressed_size for i in columns)
        if declared > MAX_BYTES * max(group.num_rows, 1):
            reason = f"row group {number + 1} declares {declared:,} bytes for {group.num_rows} rows"
            raise _unusable(path, reason, f"more than {MAX_BYTES:,} bytes a row")


def _footer_digest(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        size = file.seek(0, 2)
        file.seek(max(size - 8 - length, 0))
        return hashlib.sha256(f"{size} ".encode() + file.read(length)).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise _unusable(path, "it is not a regular file")
    with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True) as file:
        yield file


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (RsforgeError, MemoryError):
        raise
    # pyarrow says OSError of damaged contents too, without an errno, and whatever a damaged schema leads it to.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = error.filename or str(path)
            raise
        raise _unusable(path, "it cannot be read", first_line(error)[:300]) from error


def _unusable(path: Path, reason: str, found: str = "", fix: str = "") -> RsforgeError:
    return RsforgeError("RSF-D006", f"cannot use {path.name}: {reason}", where=str(path), found=found, fix=fix)
