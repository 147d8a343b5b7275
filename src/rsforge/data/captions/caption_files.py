"""Captions in a file of any usual form: lines with tabs, a table with a heading, or JSON of images and sentences."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.captions.image_sentences import looks_like_json, read_image_sentences
from rsforge.data.captions.tables import KEYS, Line, parse_line, read_lines, split_captions
from rsforge.data.io.image_reader import SUFFIXES
from rsforge.data.names.sides import side_of_word
from rsforge.data.tables.characters import CharacterError, decode_text
from rsforge.data.tables.table import MAX_BYTES, SEPARATORS, describe_reading, find_column, find_separator, split_rows
from rsforge.errors import RsforgeError

NAMES = ("file_name", "filename", "file", "image", "image_name", "image_path", "filepath", "path", "name", "img", "id")
"""Headings of a column of image names, the surest first."""
SIDES = ("split", "subset", "set", "partition", "side")
_NUMBERED = re.compile(r"(.+)#\d+")  # several captions of one image, as Flickr8k numbers them
_CAPTION = re.compile(rf"({'|'.join(KEYS)})[_ ]?\d+", re.IGNORECASE)  # caption_1 to caption_5
_IMAGES = (*SUFFIXES, ".webp", ".gif", ".jp2")
NumberedLines = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class CaptionFile:
    """The lines of a file, how it was read (one sentence, or empty), and the side of each image that it states."""

    lines: list[Line]
    sentence: str = ""
    sides: dict[str, str] = field(default_factory=dict)


def read_caption_file(path: Path) -> CaptionFile:
    """The captions in ``path``; RSF-D006 for a file that is neither a table of captions nor JSON of them.

    Lines with tabs need no heading; other separators need one, or image names in their first column.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return CaptionFile(list(read_lines(path)))  # which says why
    data = path.read_bytes()
    try:
        text, encoding = decode_text(data)
    except CharacterError as error:
        if "throughout" in str(error) or data.startswith(b"\xef\xbb\xbf"):
            return CaptionFile(list(read_lines(path)))  # a few damaged lines are named one by one
        what = f"{path.name} cannot be read: {error}"
        raise RsforgeError("RSF-D006", what, where=str(path), found=f"byte {error.start + 1}") from None
    if looks_like_json(text):
        return CaptionFile(*read_image_sentences(path, text))
    # A line end within a caption is escaped, so that every other one ends a line; a Mac of old ended them by \r alone.
    lines = [line.removesuffix("\r") for line in text.split("\n" if "\n" in text else "\r")]
    filled = [(number, line) for number, line in enumerate(lines, 1) if line]
    if not filled:
        return CaptionFile([])
    with_tabs = sum("\t" in line for _, line in filled)
    separator = "\t" if 2 * with_tabs >= len(filled) else find_separator(text)
    if heading := _find_heading(filled, separator):
        return _read_columns(path, text, encoding, separator, heading)
    if separator == "\t" or not _begin_with_images(filled, separator):
        if not encoding:
            return CaptionFile(_without_numbers(list(read_lines(path))))
        parsed = [parse_line(number, line) for number, line in filled]
        return CaptionFile(_without_numbers(parsed), describe_reading(path.name, encoding, "\t"))
    parsed = [_parse_separated(number, line, separator) for number, line in filled]
    return CaptionFile(_expand(_without_numbers(parsed)), describe_reading(path.name, encoding, separator) or _COMMAS)


_COMMAS = "columns are separated by commas, without a heading: file name, caption"


def _cut(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _find_heading(lines: NumberedLines, separator: str) -> tuple[int, list[int], int | None] | None:
    """The places of name, captions and side in the first line; None where it is no heading.

    A line of two words that name no image, above lines that all do, is a heading whatever its words.
    """
    columns = [cell.strip() for cell in _cut(lines[0][1], separator)]
    name, text, side = (find_column(columns, names) for names in (NAMES, KEYS, SIDES))
    if name is not None and text is not None and name != text:
        return columns.index(name), [columns.index(text)], columns.index(side) if side else None
    numbered = [k for k, column in enumerate(columns) if _CAPTION.fullmatch(column)]
    if name is not None and numbered:
        return columns.index(name), numbered, columns.index(side) if side else None
    has_image = _strip_number(columns[0]).lower().endswith(_IMAGES) if columns else True
    if len(columns) == 2 and not has_image and len(lines) > 1 and _begin_with_images(lines[1:], separator):
        return 0, [1], None
    return None


def _begin_with_images(lines: NumberedLines, separator: str) -> bool:
    """Whether the first cell of nearly every line names an image."""
    firsts = [_strip_number(line.split(separator)[0].strip().strip('"')) for _, line in lines if separator in line]
    images = sum(first.lower().endswith(_IMAGES) for first in firsts)
    return images > 0.9 * len(lines)


def _strip_number(name: str) -> str:
    found = _NUMBERED.fullmatch(name)
    return found[1] if found and found[1].lower().endswith(_IMAGES) else name


def _without_numbers(lines: Sequence[Line]) -> list[Line]:
    return [line._replace(name=_strip_number(line.name)) for line in lines]


def _parse_separated(number: int, line: str, separator: str) -> Line:
    """A line whose caption may hold the separator too: without quotes all that follows the name is caption."""
    cells = _cut(line, separator)
    text = cells[1] if len(cells) == 2 else line.partition(separator)[2]
    return _judge(number, cells[0] if cells else "", text.strip())


def _judge(number: int, name: str, text: str) -> Line:
    reason = "" if text.strip() else "it has no caption"
    return Line(number, name, text, reason if name.strip() else "it has no file name")


def _read_columns(
    path: Path, text: str, encoding: str, separator: str, heading: tuple[int, list[int], int | None]
) -> CaptionFile:
    name_at, texts_at, side_at = heading
    try:
        (_, columns), *rows = split_rows(text, separator)
        if len(rows) < 0.5 * text.count("\n"):  # quotes that never close swallow the lines after them
            (_, columns), *rows = split_rows(text, separator, quotes=False)
    except csv.Error as error:
        raise RsforgeError("RSF-D006", f"{path.name} is no table: {error}", where=str(path)) from None
    lines, sides = [], {}
    for number, cells in rows:
        filled = [*cells, *[""] * (len(columns) - len(cells))]
        name = filled[name_at].strip()
        lines += [_judge(number, name, filled[k]) for k in texts_at if filled[k].strip() or len(texts_at) == 1]
        if side_at is not None and (side := side_of_word(filled[side_at])):
            sides[name] = side
    told = f"heading {', '.join(columns[k].strip() for k in (name_at, *texts_at))}"
    kind = f"{encoding} with " if encoding else ""
    sentence = f"{path.name} is read as {kind}columns separated by {SEPARATORS[separator]}, {told}"
    return CaptionFile(_expand(_without_numbers(lines)), sentence, sides)


def _expand(lines: Sequence[Line]) -> list[Line]:
    """A line for each caption of cells that hold the text of a list."""
    return [line._replace(text=text) for line in lines for text in split_captions(line.text) or [line.text]]
