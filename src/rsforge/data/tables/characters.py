"""The characters of a text file, whatever program saved it: UTF-8, UTF-16 or Windows-1252, with a mark or without."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),  # before that of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_WINDOWS = "cp1252"
_UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LAST = 0xFF  # a y with two dots, which hardly any word has: an unset byte, or a part of another encoding
CONVERT = "save it as UTF-8, for instance by `iconv -f ENCODING -t UTF-8 FILE > NEW`"


class Text(NamedTuple):
    """Decoded ``text``; ``encoding`` is its name for people, empty for UTF-8, which needs no mention."""

    text: str
    encoding: str = ""


class CharacterError(ValueError):
    """Why bytes are no text of a known encoding, as a clause; ``start`` is the first byte, counted from 0."""

    def __init__(self, reason: str, start: int) -> None:
        super().__init__(reason)
        self.start = start


def compose(name: str) -> str:
    """A name as people read it: a Mac writes letters with their accents apart (NFD), other systems do not (NFC)."""
    return unicodedata.normalize("NFC", name)


def decode_text(data: bytes) -> Text:
    """``data`` as text: by its mark, else UTF-8, UTF-16 by its zero bytes, else Windows-1252 where that is likely.

    Bytes that are UTF-8 but for some damage, or that look like an encoding of several bytes a character (GBK,
    Shift-JIS), raise ``CharacterError``.
    """
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], codec, "" if codec == "utf-8" else name)
    if codec := _guess_utf16(data):
        return _decode(data, codec, "UTF-16")
    try:
        return Text(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        if reason := _doubt_windows(data):
            raise CharacterError(reason, error.start) from None
    return _decode(data, _WINDOWS, "Windows-1252")


def _decode(data: bytes, codec: str, name: str) -> Text:
    try:
        return Text(data.decode(codec), name)
    except UnicodeDecodeError as error:
        raise CharacterError(f"it is not {name or 'UTF-8'}", error.start) from None


def _guess_utf16(data: bytes) -> str:
    """The codec of UTF-16 without a mark: of texts in Latin letters every second byte is zero."""
    start = data[:4096]
    if len(start) < 4 or len(start) % 2 or b"\0" not in start:
        return ""
    for codec, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if zeros.count(0) > 0.7 * len(zeros):
            return codec
    return ""


def _doubt_windows(data: bytes) -> str:
    """Why bytes that are not UTF-8 are hardly Windows-1252 either; empty where they may be."""
    runs = [len(run) for run in _HIGH_RUN.findall(data)]
    if sum(map(len, _UTF8_CHARACTER.findall(data))) > 0.4 * sum(runs):
        return "it is not UTF-8 throughout"
    try:
        data.decode(_WINDOWS)
    except UnicodeDecodeError:
        return "it is neither UTF-8 nor Windows-1252"
    # Letters with accents stand alone in Western languages; GBK, Big5 and Shift-JIS take two bytes a character.
    if data.count(_LAST) > 0.1 * sum(runs):
        return "it is not UTF-8 throughout"
    if sum(length for length in runs if length > 1) > 0.5 * sum(runs):
        return "it is neither UTF-8 nor, as it seems, Windows-1252"
    return ""
