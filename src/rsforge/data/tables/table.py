"""Tables of text as programs save them: separators, quotes and a heading are found, and said in one sentence."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rsforge.data.tables.characters import CONVERT, CharacterError, decode_text
from rsforge.errors import RsforgeError

SEPARATORS: Mapping[str, str] = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}
MAX_BYTES = 1 << 29
_SAMPLE = 200  # lines by which the separator is found


@dataclass(frozen=True)
class TextTable:
    """A table: ``columns`` are those of its heading, ``rows`` (line, cells) with lines counted from 1.

    ``sentence`` says what was taken, where that is not UTF-8 with commas; empty otherwise.
    """

    columns: tuple[str, ...]
    rows: list[tuple[int, list[str]]]
    sentence: str = ""

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        """(line, cells by column); cells that a row lacks are empty."""
        for line, cells in self.rows:
            filled = [*cells, *[""] * (len(self.columns) - len(cells))]
            yield line, dict(zip(self.columns, filled, strict=False))


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file, and its encoding where that is not UTF-8; RSF-D006 for what is no text."""
    if not path.is_file():  # opening a pipe would block for ever
        reason = "it is not a regular file" if path.exists() else "there is no such file"
        raise RsforgeError("RSF-D006", f"{path.name} cannot be read: {reason}", where=str(path))
    if path.stat().st_size > MAX_BYTES:
        raise RsforgeError("RSF-D006", f"{path.name} has more than {MAX_BYTES:,} bytes", where=str(path))
    data = path.read_bytes()
    try:
        return decode_text(data)
    except CharacterError as error:
        found = f"byte {error.start + 1} is {data[error.start]:#04x}" if error.start < len(data) else ""
        what = f"{path.name} cannot be read: {error}"
        raise RsforgeError("RSF-D006", what, where=str(path), found=found, fix=CONVERT) from None


def read_table(path: Path) -> TextTable:
    """The table in ``path``, whose first line is a heading; RSF-D006 for a file that is no table."""
    text, encoding = read_text(path)
    separator = find_separator(text)
    try:
        rows = list(split_rows(text, separator))
    except csv.Error as error:
        what = f"{path.name} cannot be read: it is not CSV"
        raise RsforgeError("RSF-D006", what, where=str(path), found=str(error)) from None
    heading = tuple(cell.strip() for cell in rows[0][1]) if rows else ()
    return TextTable(heading, rows[1:], describe_reading(path.name, encoding, separator))


def find_separator(text: str) -> str:
    """The separator of ``SEPARATORS`` that cuts most lines into equally many cells, commas where none does."""
    lines = [line for line in text.splitlines()[: _SAMPLE + 1] if line.strip()][:_SAMPLE]
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        with_cells = [len(cells) for cells in _parse(lines, separator)]
        if not with_cells:
            continue
        count, frequency = Counter(with_cells).most_common(1)[0]
        score = (frequency / len(with_cells), count)
        if count > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _parse(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error:
        return []


def split_rows(text: str, separator: str, *, quotes: bool = True) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not empty; with ``quotes`` cells in them hold separators and line ends."""
    rule: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, quoting=rule)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def describe_reading(name: str, encoding: str, separator: str) -> str:
    """What was taken for a table, in one sentence; empty for UTF-8 with commas, which is the rule."""
    parts = [encoding] if encoding else []
    parts += [f"columns separated by {SEPARATORS[separator]}"] if separator != "," else []
    return f"{name} is read as {' with '.join(parts)}" if parts else ""


def find_column(columns: Sequence[str], names: Collection[str]) -> str | None:
    """The first of ``names`` that is a column, whatever its case, blanks, hyphens and underscores."""
    plain = {_plain(column): column for column in reversed(columns)}
    return next((plain[_plain(name)] for name in names if _plain(name) in plain), None)


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign not in " _-.")
