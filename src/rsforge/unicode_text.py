"""Text that is none: half of a pair of surrogates, which no file and no tokenizer takes; standard library only."""

from __future__ import annotations


def is_unicode(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8.

    JSON can spell half of a pair (``\\ud800``), and bytes that are not UTF-8 are such halves in arguments and names.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_json(text: str) -> bytes:
    """JSON as UTF-8, with halves of pairs, as names of files may hold them, as escapes that are read as the same."""
    return text.encode(errors="backslashreplace")
