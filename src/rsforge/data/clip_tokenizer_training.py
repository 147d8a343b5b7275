"""A tokenizer of CLIP's kind whose pieces are those of a data set's captions."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rsforge.data.clip_tokenizer import END, START, WORD_END, ClipTokenizer, Specials, build_pieces

LEAST = 2 * 256 + 2
"""Tokens of a vocabulary without merges: every byte, within a word and at its end, and the two specials."""


def list_bytes() -> list[str]:
    """The 256 symbols that stand for bytes (Radford et al. 2019): printable ones for themselves."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in shown] + [chr(256 + k) for k in range(256 - len(shown))]


def learn_tokenizer(captions: Iterable[str], *, vocab_size: int, max_length: int) -> ClipTokenizer:
    """The tokenizer of at most ``vocab_size`` tokens: all bytes, and the pieces most common in ``captions``.

    It reads every text. ``ValueError`` for fewer than ``LEAST`` tokens. Sennrich et al. 2016, byte-pair encoding.
    """
    if vocab_size < LEAST:
        raise ValueError(f"a vocabulary of {vocab_size} tokens is too small: all bytes and the specials take {LEAST}")
    letters = list_bytes()
    alphabet = [*letters, *(f"{letter}{WORD_END}" for letter in letters)]
    merges = _learn_merges(captions, letters, most=vocab_size - LEAST)
    words = [*alphabet, *("".join(pair) for pair in merges), START, END]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    return ClipTokenizer(vocabulary, merges, Specials(max_length=max_length))


def _learn_merges(captions: Iterable[str], letters: list[str], *, most: int) -> list[tuple[str, str]]:
    from tokenizers import trainers

    tokenizer = build_pieces({END: 0}, [])
    # The alphabet of the trainer counts too: beside it there is room for so many merges.
    trainer = trainers.BpeTrainer(
        vocab_size=LEAST + most, initial_alphabet=letters, end_of_word_suffix=WORD_END, show_progress=False,
        special_tokens=[], min_frequency=2,
    )  # fmt: skip
    tokenizer.train_from_iterator(captions, trainer)
    pairs = json.loads(tokenizer.to_str())["model"]["merges"][:most]
    split = (pair.split() if isinstance(pair, str) else pair for pair in pairs)
    return [(first, second) for first, second in split]
