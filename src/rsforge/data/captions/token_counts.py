"""The number of CLIP tokens in a caption; the text encoder reads 77."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rsforge.data.clip_tokenizer import END, SPECIAL_PATTERN, START, build_pieces
from rsforge.data.io.native_output import first_line
from rsforge.errors import RsforgeError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WORD = re.compile(SPECIAL_PATTERN + r"[^\W\d_]+|\d|(?:[^\s\w]|_)+")


def count_at_least(text: str) -> int:
    """A lower bound of the number of tokens, start and end included: one for each word of CLIP's pattern."""
    return 2 + sum(1 for _ in _WORD.finditer(unicodedata.normalize("NFC", text).lower()))


def make_counter(tokenizer: Path | None) -> Callable[[str], int]:
    """A function that counts the tokens of a text, start and end included; a lower bound without a ``tokenizer``.

    ``tokenizer`` is a ``tokenizer.json``, or a folder with one or with ``vocab.json`` and ``merges.txt``. RSF-D006 when
    it cannot be used.
    """
    if tokenizer is None:
        return count_at_least
    loaded = _load_tokenizer(tokenizer)
    loaded.no_truncation()
    loaded.no_padding()
    return lambda text: 2 + len(loaded.encode(text, add_special_tokens=False).ids)


def _load_tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    whole = path / "tokenizer.json" if path.is_dir() else path
    needed = [whole] if whole.exists() else [path / "vocab.json", path / "merges.txt"]
    for file in needed:
        if not file.is_file():
            reason = "is not a regular file" if file.exists() else "is not there"
            raise RsforgeError("RSF-D006", f"no tokenizer at {path}: {file.name} {reason}", where="--tokenizer")
    try:
        if whole.exists():
            return Tokenizer.from_str(whole.read_text("utf-8"))
        return _build_clip_tokenizer(path / "vocab.json", path / "merges.txt")
    except OSError:
        raise
    # The library raises bare exceptions.
    except Exception as error:
        what = f"{path} is no tokenizer that can be used"
        raise RsforgeError("RSF-D006", what, where="--tokenizer", found=first_line(error)[:200]) from None


def _build_clip_tokenizer(vocabulary: Path, merges: Path) -> Tokenizer:
    """CLIP's byte-pair encoding (Radford et al. 2021) from its two tables."""
    from tokenizers import models

    for path in (vocabulary, merges):  # the library reports no reason when a file may not be read
        path.open("rb").close()
    words, pairs = models.BPE.read_file(str(vocabulary), str(merges))
    tokenizer = build_pieces(words, pairs)
    tokenizer.add_special_tokens([START, END])
    return tokenizer
