"""Tokenizers learnt from captions."""

from __future__ import annotations

import pytest

from rsforge.data.clip_tokenizer_files import read_clip_tokenizer
from rsforge.data.clip_tokenizer_training import LEAST, learn_tokenizer, list_bytes
from tests.worlds.clip_tokens import AWKWARD, bytes_as_letters

CAPTIONS = ["many buildings are near a river", "a river and buildings", "buildings"] * 3


def test_the_symbols_of_bytes_are_those_of_byte_level_encoding():
    assert list_bytes() == bytes_as_letters()


def test_common_words_become_one_token_and_every_text_is_read(tmp_path):
    tokenizer = learn_tokenizer(CAPTIONS, vocab_size=700, max_length=32)
    assert tokenizer.count_tokens(["buildings", "river"]) == [3, 3] and len(tokenizer) <= 700
    unknown = tokenizer.vocabulary["<|endoftext|>"]
    for text, ids in zip(AWKWARD, tokenizer.encode(AWKWARD).tolist(), strict=True):
        body = ids[1 : ids.index(unknown)] if unknown in ids else ids[1:]
        assert all(one < unknown for one in body), text
    tokenizer.save(tmp_path)
    again = read_clip_tokenizer(tmp_path)
    assert again.encode(AWKWARD).equal(tokenizer.encode(AWKWARD))


def test_it_is_the_same_every_time_and_bounded():
    sizes = [learn_tokenizer(CAPTIONS, vocab_size=size, max_length=8) for size in (LEAST, LEAST + 3, LEAST + 3)]
    assert [len(one) for one in sizes] == [LEAST, LEAST + 3, LEAST + 3]
    assert sizes[1].vocabulary == sizes[2].vocabulary and sizes[0].merges == []
    with pytest.raises(ValueError, match="too small"):
        learn_tokenizer(CAPTIONS, vocab_size=LEAST - 1, max_length=8)
