"""Images and captions in Parquet files, read a few rows at a time, whatever the size of the files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from rsforge.data.captions.image_cells import read_cell
from rsforge.data.captions.parquet_columns import (
    SIDES,
    choose_column,
    find_caption_columns,
    find_image_columns,
    find_more_captions,
    find_side_column,
    holds_bytes,
    is_needed,
    unusable_error,
)
from rsforge.data.captions.tables import collect_texts, expand_lists
from rsforge.data.captions.webdataset import find_packed, is_tar, measure_tar, read_samples, unpack_first
from rsforge.data.files.walk import lies_in_left_behind
from rsforge.data.io.image_reader import MAX_BYTES, UnreadableError
from rsforge.data.io.native_output import first_line
from rsforge.data.names.sides import side_of_path, side_of_shard, side_of_word
from rsforge.errors import RsforgeError

BATCH = 8  # rows in memory at once
BUFFER = 1 << 20
MOST_AT_ONCE = 64 << 20  # bytes of rows in memory at once
SMALL_GROUP, MOST_EXPANSION = 64 << 20, 50  # bytes of a row group in memory, for each stored one where it is larger


@dataclass(frozen=True)
class Shard:
    """One file: number of rows, columns to read, and a digest of its footer, which holds the offsets of all data.

    ``name`` is the column of the images' own names, ``side_column`` that of sides, empty where none is read; ``side``
    is what the name of the file states. ``more`` are further columns of captions. A tar has suffixes for columns.
    """

    path: Path
    rows: int
    image: str
    captions: str
    leaves: tuple[str, ...]
    digest: str
    name: str = ""
    side_column: str = ""
    side: str = ""
    more: tuple[str, ...] = ()


class ParquetRow(NamedTuple):
    """One row, ``number`` counted from 0 over all shards; ``reason`` says why it cannot be used, empty if it can.

    ``source`` is the image's own name, where a column of names is read; ``side`` is stated by a column or the file.
    ``listed`` says that captions were the text of a list.
    """

    number: int
    place: str
    image: bytes
    captions: list[str]
    reason: str = ""
    code: str = "RSF-D007"
    source: str = ""
    side: str = ""
    listed: bool = False


def find_shards(place: str) -> list[Path]:
    """The Parquet files of ``place``, sorted: one file, all below a folder, or those of a glob; RSF-D006 for none.

    Of a folder without any, the tars of WebDataset.
    """
    path = Path(place)
    if path.is_dir():
        every = sorted(p for p in path.rglob("*") if not lies_in_left_behind(path, p) and p.is_file())
        found = [p for p in every if p.suffix.lower() == ".parquet"] or [p for p in every if is_tar(p)]
    elif path.exists():
        found = [path]
    else:
        found = sorted(p for p in _expand_glob(path) if p.is_file())
    if packed := [one for one in found if find_packed(one)]:
        what = f"{packed[0].name} is a compressed tar"
        raise RsforgeError("RSF-D006", what, where="--parquet-path", found=str(packed[0]), fix=unpack_first(packed))
    if not found:
        fix = "give a file, a folder of them, or a glob in quotes: --parquet-path 'data/train-*.parquet'"
        packed = find_packed(path)
        fix = unpack_first(packed) if packed else fix
        raise RsforgeError("RSF-D006", f"no Parquet file found at {place}", where="--parquet-path", fix=fix)
    return found


def _expand_glob(pattern: Path) -> Iterator[Path]:
    anchor = Path(pattern.anchor)
    try:
        yield from anchor.glob(str(pattern.relative_to(anchor)))
    except ValueError:  # an empty or invalid pattern
        return


def open_shard(path: Path, *, image: str | None = None, captions: str | None = None, name: str | None = None) -> Shard:
    """Read the footer of ``path`` and choose its columns, by name or by the usual layouts; RSF-D006.

    The column ``name`` of the images' own names is read where it is given. A tar of WebDataset has no columns.
    """
    side = side_of_shard(path.name) or side_of_word(path.parent.name)
    if is_tar(path):
        return _open_tar(path, side)
    with _translate_errors(path), _open_parquet(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        leaves = [file.schema.column(i).path for i in range(metadata.num_columns)]
        digest = _footer_digest(path)
    image = choose_column(path, schema, image, "image", find_image_columns(schema))
    captions = choose_column(path, schema, captions, "caption", find_caption_columns(schema))
    if name is not None:
        choose_column(path, schema, name, "name", [])
    side_column, more = find_side_column(schema), tuple(find_more_captions(schema, captions))
    others = (name, side_column, *more)
    needed = tuple(leaf for leaf in leaves if leaf in others or is_needed(leaf, schema, image, captions))
    _check_sizes(path, metadata, {leaves.index(leaf) for leaf in needed})
    return Shard(path, metadata.num_rows, image, captions, needed, digest, name or "", side_column, side, more)


def find_unknown_sides(path: Path) -> tuple[str, list[str]]:
    """The column of sides of which no value is one that is understood, and its first values; empty for none."""
    if is_tar(path):
        return "", []
    with _translate_errors(path), _open_parquet(path) as file:
        column = next((name for name in file.schema_arrow.names if name.lower() in SIDES), "")
        if not column:
            return "", []
        values = file.read(columns=[column], use_threads=False).column(column).unique().to_pylist()
    told = [str(value) for value in values if value is not None]
    return ("", []) if not told or any(map(side_of_word, told)) else (column, told)


def list_columns(path: Path) -> list[str]:
    """The names of the columns of a table; RSF-D006 for a damaged one."""
    with _translate_errors(path), _open_parquet(path) as file:
        return list(file.schema_arrow.names)


def read_texts(path: Path) -> tuple[tuple[str, ...], Iterator[tuple[int, dict[str, Any]]]]:
    """The columns of a table that hold no images, and (row from 1, cells by column) of its rows; RSF-D006."""
    with _translate_errors(path), _open_parquet(path) as file:
        columns = tuple(f.name for f in file.schema_arrow if not holds_bytes(f.type))
        leaves = [file.schema.column(i).path for i in range(file.metadata.num_columns)]
        _check_sizes(path, file.metadata, {i for i, leaf in enumerate(leaves) if leaf.split(".")[0] in columns})
        rows = file.read(columns=list(columns), use_threads=False).to_pylist()
    return columns, enumerate(rows, 1)


def _open_tar(path: Path, side: str) -> Shard:
    count, digest = measure_tar(path)
    return Shard(path, count, "image", "text", (), digest, side=side)


def _read_tar(shard: Shard, first: int, start: int) -> Iterator[ParquetRow]:
    for index, sample in enumerate(read_samples(shard.path)):
        if index >= start:
            place = f"{shard.path.name} {sample.key}"
            reason = sample.reason or ("" if any(text.strip() for text in sample.captions) else "it has no caption")
            side = sample.side or side_of_path(sample.key) or shard.side
            yield ParquetRow(first + index, place, sample.image, sample.captions, reason, source=sample.key, side=side)


def read_rows(shards: Sequence[Shard], start: int = 0) -> Iterator[ParquetRow]:
    """The rows of all shards in order, from number ``start`` on; RSF-D006 for damaged files."""
    first = 0
    for shard in shards:
        if first + shard.rows > start:
            read = _read_tar if is_tar(shard.path) else _read_shard
            yield from read(shard, first, max(start - first, 0))
        first += shard.rows


def _read_shard(shard: Shard, first: int, start: int) -> Iterator[ParquetRow]:
    with _translate_errors(shard.path), _open_parquet(shard.path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        group = done = 0
        while group < len(sizes) and done + sizes[group] <= start:
            done += sizes[group]
            group += 1
        batches = file.iter_batches(
            _batch_rows(file, shard), range(group, len(sizes)), list(shard.leaves), use_threads=False
        )
        for batch in batches:
            for index in range(max(start - done, 0), batch.num_rows):
                yield _read_row(shard, batch, index, first + done + index, done + index)
            done += batch.num_rows
    if done != shard.rows:
        raise unusable_error(shard.path, f"it declares {shard.rows} rows and has {done}")


def _batch_rows(file: Any, shard: Shard) -> int:
    """As many rows as fit into ``MOST_AT_ONCE`` if each were as large as all values of its group.

    A column with a dictionary holds each value once, and may name the largest in every row.
    """
    metadata, largest = file.metadata, 1
    columns = [i for i in range(metadata.num_columns) if file.schema.column(i).path in shard.leaves]
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        largest = max(largest, *(group.column(i).total_uncompressed_size for i in columns))
    return max(1, min(BATCH, MOST_AT_ONCE // largest))


def _read_row(shard: Shard, batch: Any, index: int, number: int, line: int) -> ParquetRow:
    place = f"{shard.path.name} row {line + 1}"
    try:
        columns = (shard.captions, *shard.more)
        cells = [text for name in columns for text in collect_texts(batch.column(name)[index].as_py())]
        captions = expand_lists(cells)
        side = side_of_word(batch.column(shard.side_column)[index].as_py()) if shard.side_column else ""
        names = collect_texts(batch.column(shard.name)[index].as_py()) if shard.name else []
        image = read_cell(shard.path, batch.column(shard.image)[index], place)
    except UnicodeError:
        return ParquetRow(number, place, b"", [], "a text in it is not UTF-8")
    except UnreadableError as error:
        return ParquetRow(number, place, b"", [], str(error))
    except RsforgeError as error:
        return ParquetRow(number, place, b"", [], f"{error.what}: {error.found}", error.code)
    reason = "" if any(text.strip() for text in captions) else "it has no caption"
    source, listed = names[0] if names else "", captions != cells
    return ParquetRow(number, place, image, captions, reason, source=source, side=side or shard.side, listed=listed)


def _check_sizes(path: Path, metadata: Any, columns: set[int]) -> None:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        declared = sum(group.column(i).total_uncompressed_size for i in columns)
        stored = sum(group.column(i).total_compressed_size for i in columns)
        if declared > max(SMALL_GROUP, MOST_EXPANSION * stored):
            reason = f"row group {number + 1} declares {declared:,} bytes in {stored:,}"
            raise unusable_error(path, reason, "images do not compress as much: they are compressed already")
        if declared > MAX_BYTES * max(group.num_rows, 1):
            reason = f"row group {number + 1} declares {declared:,} bytes for {group.num_rows} rows"
            raise unusable_error(path, reason, f"more than {MAX_BYTES:,} bytes a row")


def _footer_digest(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        size = file.seek(0, 2)
        file.seek(max(size - 8 - length, 0))
        return hashlib.sha256(f"{size} ".encode() + file.read(length)).hexdigest()


@contextmanager
def _open_parquet(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise unusable_error(path, "it is not a regular file")
    with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True) as file:
        yield file


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (RsforgeError, MemoryError):
        raise
    # pyarrow raises OSError without an errno for damaged contents, and many other types for damaged schemas.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = error.filename or str(path)
            raise
        raise unusable_error(path, "it cannot be read", first_line(error)[:300]) from error
