"""The files in which pretrained models keep CLIP's tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge.data.clip_tokenizer import (
    CONFIG,
    LIMIT,
    MERGES,
    SPECIALS,
    VOCABULARY,
    WHOLE,
    WORD_END,
    ClipTokenizer,
    Special,
    Specials,
    text_of,
)
from rsforge.wording import count_noun, join_first

NAMES = {"start": "bos_token", "end": "eos_token", "pad": "pad_token", "unknown": "unk_token"}
MOST_TOKENS = 1 << 16
Merges = list[tuple[str, str]]
SHOWN = 3
_SPECIAL = re.compile(r"<.+>")


def read_clip_tokenizer(folder: Path) -> ClipTokenizer:
    """The tokenizer of ``tokenizer.json``, else of ``vocab.json`` and ``merges.txt``, with its special tokens.

    Of the special tokens those of ``special_tokens_map.json`` count before those of ``tokenizer_config.json`` unless
    the latter lists ``added_tokens_decoder``, as transformers has it; 77 tokens where no length is given.
    ``FileNotFoundError`` where there are neither tables, ``ValueError`` for files that are no such tokenizer.
    """
    tables = folder / VOCABULARY, folder / MERGES
    if (folder / WHOLE).is_file():
        vocabulary, merges = _read_whole(folder / WHOLE)
    elif all(path.is_file() for path in tables):
        vocabulary, merges = _read(tables[0]), _read_merges(tables[1])
    else:
        absent = next(path for path in tables if not path.is_file())
        raise FileNotFoundError(2, "no tokenizer: neither tokenizer.json nor both tables", str(absent))
    _check_ids(vocabulary)
    tokenizer = ClipTokenizer(vocabulary, merges, _read_specials(folder))
    _check_merges(tokenizer)
    return tokenizer


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return value


def _read_merges(path: Path) -> Merges:
    try:
        lines = path.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no UTF-8 text") from error
    return [_split(line, path) for line in lines if line.strip() and not line.startswith("#version")]


def _split(line: str, path: Path) -> tuple[str, str]:
    pair = line.split()
    if len(pair) != 2:
        raise ValueError(f"{path.name} has the line {line[:40]!r}, which is no pair")
    return pair[0], pair[1]


def _read_whole(path: Path) -> tuple[dict[str, Any], Merges]:
    model = _read(path).get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or "merges" not in model:
        raise ValueError(f"{path.name} holds no byte-pair encoding")
    if model.get("end_of_word_suffix") != WORD_END:
        raise ValueError(f"{path.name} marks no ends of words by </w>, as CLIP does")
    merges = [_split(pair if isinstance(pair, str) else " ".join(pair), path) for pair in model["merges"]]
    return model["vocab"], merges


def _check_ids(vocabulary: Mapping[str, Any]) -> None:
    ids = list(vocabulary.values())
    if any(isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < MOST_TOKENS for one in ids):
        raise ValueError(f"a vocabulary has ids from 0 to {MOST_TOKENS - 1}")
    if len(set(ids)) != len(ids):
        raise ValueError("two words of the vocabulary have one id")


def _check_merges(tokenizer: ClipTokenizer) -> None:
    """``ValueError`` for words that no pair makes: without them texts fall into other pieces, and nothing shows it.

    The vocabulary of CLIP holds every byte within a word and at its end, what the pairs make, and special tokens.
    """
    made = {*map("".join, tokenizer.merges), *map(text_of, tokenizer.specials.names)}
    words = (word for word in tokenizer.vocabulary if len(word.removesuffix(WORD_END)) > 1)
    lacking = [word for word in words if word not in made and not _SPECIAL.fullmatch(word)]
    if lacking:
        shown = join_first([repr(word) for word in lacking], SHOWN, separator=", ")
        raise ValueError(f"the merges lack the pairs of {count_noun(len(lacking), 'word')} of the vocabulary: {shown}")


def _read_specials(folder: Path) -> Specials:
    config = _read(folder / CONFIG)
    flags = config.get("added_tokens_decoder")
    listed = flags if isinstance(flags, dict) else {}
    stated = config | ({} if listed else _read(folder / SPECIALS))
    details = {text_of(token): token for token in listed.values() if isinstance(token, dict)}
    tokens: dict[str, Special] = {}
    for ours, theirs in NAMES.items():
        token = stated.get(theirs)
        if isinstance(token, str | dict):
            tokens[ours] = details.get(text_of(token), token)
    length = config.get("model_max_length")
    if not isinstance(length, int) or not 3 <= length <= MOST_TOKENS:
        length = LIMIT  # transformers writes an astronomical number for none
    return Specials(**tokens, max_length=length)
