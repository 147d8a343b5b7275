"""Captions as text tables and JSON lines: what goes in comes out, character for character."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rsforge.errors import RsforgeError
from rsforge.seeds import derive

Mode = Literal["first", "all", "random", "join", "rows"]

MAX_LINE = 1 << 20
EXTRACT = "give a table of name, tab, caption; `rsforge data parquet-to-jsonl` writes one"
KEYS = ("captions", "caption", "text", "texts", "sentences", "sentence", "raw", "description", "prompt", "txt")

# A sign that captions do not hold: backslashes, which code and paths do, stay as they are.
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
    """What ``escape`` made it of, exactly; digits that it never writes stay as they are."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def table_line(name: str, text: str) -> str:
    """``name``, a tab, the caption."""
    return f"{name}\t{escape(text)}\n"


def json_line(name: str, text: str | Sequence[str]) -> str:
    """``{"file_name": ..., "text": ...}``, the form that ``datasets`` reads beside a folder of images."""
    return json.dumps({"file_name": name, "text": text}, ensure_ascii=False) + "\n"


def texts(value: Any) -> list[str]:
    """All captions in a table's cell: text, bytes, a list of them, or of records with one of ``KEYS``."""
    if isinstance(value, bytes):
        return [value.decode("utf-8")]
    if isinstance(value, dict):
        return texts(next((value[key] for key in KEYS if value.get(key) is not None), None))
    if isinstance(value, list):
        return [text for item in value for text in texts(item) or [""]]
    return [] if value is None else [str(value)]


def chosen(captions: Sequence[str], mode: Mode, *, seed: int, row: int) -> list[str]:
    """The captions that ``mode`` takes of one image's; ``random`` depends on ``seed`` and ``row`` alone."""
    if mode == "join":
        return [" ".join(captions)]
    if mode in ("all", "rows"):
        return list(captions)
    return [captions[derive(seed, "caption", row) % len(captions) if mode == "random" else 0]]


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a caption table in their order, empty ones left out; RSF-D006 for no file or an endless line."""
    if not path.is_file():  # opening a pipe would wait for ever
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
            data = data.removeprefix(b"\xef\xbb\xbf") if number == 1 else data
            if stripped := data.removesuffix(b"\n").removesuffix(b"\r"):
                yield _parsed(number, stripped)


def _parsed(number: int, data: bytes) -> Line:
    try:
        name, tab, text = data.decode("utf-8").partition("\t")
    except UnicodeDecodeError as error:
        return Line(number, "", "", f"it is not UTF-8 (byte {error.start + 1})")
    if not tab:
        old = "it is in the form `name: [captions]` of older scripts" if _LIST.fullmatch(name) else "it has no tab"
        return Line(number, "", "", old)
    name, text = unescape(name), unescape(text)
    reason = "it has no file name" if not name.strip() else "it has no caption" if not text.strip() else ""
    return Line(number, name, text, reason)
