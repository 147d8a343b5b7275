"""Token ids, against a plain Python reference."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.word_tokenizer import WordTokenizer

PROMPTS = [
    "Colorise image, Region: tropical, Season: summer",
    "Colorise image, Region: tropical, Season: fall",
    "Colorise image, Region: arctic, Season: fall",
]


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def reference_vocabulary(prompts: list[str], size: int) -> dict[str, int]:
    counts = Counter(word for prompt in prompts for word in words_of(prompt))
    common = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return {word: k for k, word in enumerate(["[PAD]", "[UNK]", "[START]", "[END]", *common][:size])}


def reference_encode(text: str, vocabulary: dict[str, int], length: int) -> list[int]:
    inner = [vocabulary.get(word, 1) for word in words_of(text)][: length - 2]
    return ([2, *inner, 3] + [0] * length)[:length]


# Without control characters, of which Python takes four for space and the library does not.
TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]) | st.sampled_from("äÖéñЖжαΩ東 _"), max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS, min_size=1, max_size=4), st.integers(4, 30), st.integers(3, 12))
def test_the_reference_says_the_same(prompts, texts, size, length):
    tokenizer = WordTokenizer.from_prompts(prompts, vocab_size=size, max_length=length)
    vocabulary = reference_vocabulary(prompts, size)
    assert tokenizer.vocabulary == vocabulary and len(tokenizer) == len(vocabulary)
    assert tokenizer.encode(texts).tolist() == [reference_encode(text, vocabulary, length) for text in texts]
    assert tokenizer.count_tokens(texts) == [2 + len(words_of(text)) for text in texts]


def test_trap_10_the_vocabulary_has_the_size_that_it_has():
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=1000, max_length=77)
    assert len(tokenizer) == len(tokenizer.vocabulary) == 14
    assert int(tokenizer.encode(PROMPTS).max()) < len(tokenizer)


def test_trap_08_a_stored_vocabulary_gives_the_same_ids_wherever_it_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    made = WordTokenizer.from_prompts(PROMPTS, vocab_size=1000, max_length=16)
    again = WordTokenizer.from_vocabulary(made.vocabulary, made.max_length)
    assert torch.equal(again.encode(PROMPTS), made.encode(PROMPTS))


def test_the_empty_prompt_is_start_and_end_and_specials_cannot_be_typed():
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=1000, max_length=6)
    tokens = tokenizer.encode(["", "[PAD] [END]"])
    assert tokens.tolist() == [[2, 3, 0, 0, 0, 0], [2, 1, 1, 1, 1, 3]]
    assert tokenizer.mask(tokens).sum(1).tolist() == [2, 6]
    assert tokens.dtype == torch.int64 and tokenizer.encode([]).shape == (0, 6)


def test_unknown_words_are_listed_once():
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=1000, max_length=16)
    assert tokenizer.list_unknown(["Region: boreal", "boreal winter, fall"]) == ["boreal", "winter"]


@pytest.mark.parametrize(
    ("vocabulary", "length", "why"),
    [
        ({"a": 0}, 8, "begins with"),
        ({"[PAD]": 0, "[UNK]": 1, "[START]": 2, "[END]": 3, "a": 5}, 8, "each once"),
        ({"[PAD]": 0, "[UNK]": 1, "[START]": 2, "[END]": 3}, 2, "take 3"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(vocabulary, length, why):
    with pytest.raises(ValueError, match=why):
        WordTokenizer.from_vocabulary(vocabulary, length)
