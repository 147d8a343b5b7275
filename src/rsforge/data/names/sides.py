"""The side of a split that a source states: in a word, the name of a file, or a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

_WORDS = {
    "train": ("train", "training", "trn", "restval"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing", "tst"),
}
_SIDES = {word: side for side, words in _WORDS.items() for word in words}
_NUMBER = re.compile(r"(-\d+-of-\d+|[-_]\d+)$")


def side_of_word(word: Any) -> str:
    """train, val or test for a word such as ``validation``; empty for any other value."""
    return _SIDES.get(word.strip().lower(), "") if isinstance(word, str) else ""


def side_of_shard(name: str) -> str:
    """The side that the name of a shard states, such as ``rsicd_train-00000-of-00001.parquet``; empty for none."""
    stem = _NUMBER.sub("", PurePosixPath(name).name.split(".")[0])
    return side_of_word(re.split(r"[_\-]", stem)[-1]) or side_of_word(re.split(r"[_\-]", stem)[0])


def side_of_path(name: str) -> str:
    """The side that a folder of a relative path states: ``train/a.png``, ``images/valid/a.png``; empty for none."""
    folders = PurePosixPath(name).parts[:-1]
    return next((side for folder in folders if (side := side_of_word(folder))), "")


def are_several(sides: Iterable[str]) -> bool:
    """Whether things stand on more than one side, so that they must not be mixed unsaid."""
    return len({side for side in sides if side}) > 1
