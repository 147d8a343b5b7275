"""Captions in text tables and JSON lines, stored without loss of any character."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rsforge.data.tables.lists import MAX_TEXT, split_list
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

Mode = Literal["first", "all", "random", "join", "rows"]

MAX_LINE = 1 << 20
NO_UNICODE = "its caption is no Unicode text"
EXTRACT = "give a table of name, tab, caption; `rsforge data parquet-to-jsonl` writes one"
SOURCE = "source"
"""The key of the name that an image had before it was numbered."""
SIDE = "split"
"""The key of the side (train, val or test) that the source of an image states."""
KEYS = (
    "captions",
    "caption",
    "text",
    "texts",
    "sentences",
    "sentence",
    "raw",
    "description",
    "prompt",
    "txt",
    "comment",
)

# The escape character: U+241B does not occur in captions, while backslashes occur in code and paths.
ESCAPE = "\u241b"
_UNSAFE = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\u241b]")
_ESCAPED = re.compile("\u241b(00[01][0-9A-F]|007F|0085|2028|2029|241B)")
_LIST = re.compile(r"\S.*?: *\[.*\]\s*")


class Line(NamedTuple):
    """One line of a caption table, counted from 1; ``reason`` says why it is no caption, else it is empty."""

    number: int
    name: str
    text: str
    reason: str = ""


def escape(text: str) -> str:
    """``text`` on one line without tabs: control characters and line ends become U+241B and four hex digits."""
    return _UNSAFE.sub(lambda found: f"{ESCAPE}{ord(found[0]):04X}", text)


def unescape(text: str) -> str:
    """The inverse of ``escape``; codes that ``escape`` never writes are left unchanged."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def table_line(name: str, text: str) -> str:
    """One line: ``name``, a tab, the escaped caption."""
    return f"{name}\t{escape(text)}\n"


def json_line(name: str, text: str | Sequence[str], source: str = "", side: str = "") -> str:
    """One line ``{"file_name": ..., "text": ...}``, as the library ``datasets`` reads it beside images.

    A ``source``, the name that the image had, stands under ``SOURCE``, the ``side`` that its source states under
    ``SIDE``.
    """
    own = {SOURCE: source} if source else {}
    own |= {SIDE: side} if side else {}
    return json.dumps({"file_name": name, "text": text, **own}, ensure_ascii=False) + "\n"


def collect_texts(value: Any) -> list[str]:
    """All captions in a cell of a table: text, bytes, a record with one of ``KEYS`` or tokens, or a list of these.

    ``UnicodeError`` for bytes and for escapes of JSON that are no Unicode.
    """
    if isinstance(value, bytes):
        return [value.decode("utf-8")]
    if isinstance(value, dict):
        given = (value[key] for key in KEYS if value.get(key) is not None)
        words = value.get("tokens")
        return collect_texts(next(given, " ".join(map(str, words)) if isinstance(words, list) else None))
    if isinstance(value, list):
        return [text for item in value for text in collect_texts(item) or [""]]
    if value is None:
        return []
    str(value).encode()  # raises for half of a pair of surrogates
    return [str(value)]


def split_captions(text: str) -> list[str]:
    """The captions in a text that is a list or JSON of them, as some programs save it; none for any other text."""
    return split_list(text) or _split_records(text)


def _split_records(text: str) -> list[str]:
    """The captions of JSON such as ``[{"raw": "a bridge ."}]``."""
    if len(text) > MAX_TEXT or not text.lstrip().startswith(("[", "{")):
        return []
    try:
        return [one for one in collect_texts(json.loads(text)) if one.strip()]
    except (ValueError, RecursionError):
        return []


def expand_lists(captions: Sequence[str]) -> list[str]:
    """``captions``, each that is the text of a list replaced by what it lists."""
    return [text for caption in captions for text in split_captions(caption) or [caption]]


def choose_captions(captions: Sequence[str], mode: Mode, *, seed: int, row: int) -> list[str]:
    """The captions of one image that ``mode`` selects; ``random`` depends on ``seed`` and ``row`` alone."""
    if mode == "join":
        return [" ".join(captions)]
    if mode in ("all", "rows"):
        return list(captions)
    index = derive(seed, "caption", row) % len(captions) if mode == "random" else 0
    return [captions[index]]


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a caption table, without empty ones; RSF-D006 when there is no file or a line is too long."""
    if not path.is_file():  # opening a pipe would block for ever
        reason = "it is not a regular file" if path.exists() else "there is no such file"
        raise RsforgeError("RSF-D006", f"{path.name} cannot be read: {reason}", where=str(path), fix=EXTRACT)
    with path.open("rb") as file:
        number = 0
        while data := file.readline(MAX_LINE + 1):
            number += 1
            if len(data) > MAX_LINE:
                found = f"line {number} has more than {MAX_LINE:,} bytes"
                what = f"{path.name} is no table of captions"
                raise RsforgeError("RSF-D006", what, where=str(path), found=found, fix=EXTRACT)
            if number == 1:
                data = data.removeprefix(b"\xef\xbb\xbf")
            data = data.removesuffix(b"\n").removesuffix(b"\r")
            if data:
                yield _decode_line(number, data)


def _decode_line(number: int, data: bytes) -> Line:
    try:
        return parse_line(number, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Line(number, "", "", f"it is not UTF-8 (byte {error.start + 1})")


def parse_line(number: int, line: str) -> Line:
    """The name and the caption of a line, with the reason why it is none."""
    name, tab, text = line.partition("\t")
    if not tab:
        is_old_form = _LIST.fullmatch(name) is not None
        reason = "it is in the form `name: [captions]` of older scripts" if is_old_form else "it has no tab"
        return Line(number, "", "", reason)
    name, text = unescape(name), unescape(text)
    reason = ""
    if not name.strip():
        reason = "it has no file name"
    elif not text.strip():
        reason = "it has no caption"
    return Line(number, name, text, reason)
