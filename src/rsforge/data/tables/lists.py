"""Lists of texts that a program wrote into one text, as Python, JSON or NumPy shows them."""

from __future__ import annotations

import ast
import json
import re

from rsforge.unicode_text import is_unicode

_QUOTED = r'"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'"
_LIST = re.compile(rf"[\[(]\s*(?:(?:{_QUOTED})\s*,?\s*)+[\])]", re.DOTALL)
_ITEM = re.compile(_QUOTED)
MAX_TEXT = 1 << 16


def split_list(text: str) -> list[str] | None:
    """The texts of a list such as ``["a bridge", 'a long bridge']``; None for any other text.

    Items are separated by commas, or by blanks as NumPy shows them. Nothing is evaluated but the escapes in quotes.
    """
    text = text.strip()
    if len(text) > MAX_TEXT or not _LIST.fullmatch(text):
        return None
    try:
        texts = [_unquote(item) for item in _ITEM.findall(text)]
        return texts if all(map(is_unicode, texts)) else None
    except (ValueError, SyntaxError):
        return None


def _unquote(item: str) -> str:
    if item.startswith('"'):
        try:
            return str(json.loads(item))
        except ValueError:
            pass
    return str(ast.literal_eval(item))
