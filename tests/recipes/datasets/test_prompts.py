"""Prompts of pairs before a training."""

from __future__ import annotations

import pytest

from rsforge.data.prompts import PromptTemplate
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.prompts import check_lengths, warn_of_unknown_words, write_prompts
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pair_training import load_pairs

PROMPTS = ["Region: arctic, Season: fall", "Region: tropical, Season: fall and more words"]


def test_a_column_of_one_table_alone_is_unknown_of_the_others():
    console = RecordingConsole()
    metadata = [{"season": "fall", "weather": "dry"}, {"season": "fall"}, {"season": ""}]
    prompts = write_prompts(PromptTemplate("{season} {weather}"), metadata, console)
    assert prompts == ["fall dry", "fall unknown", "unknown unknown"]
    assert console.warned == [
        "the metadata does not say weather of 2, season of 1 of 3 pairs: their prompts say unknown"
    ]


def test_a_field_that_no_table_has_is_refused():
    with pytest.raises(RsforgeError) as caught:
        write_prompts(PromptTemplate("{weather}"), [{"season": "fall"}], RecordingConsole())
    assert caught.value.code == "RSF-U005" and "region, season" in caught.value.found


def test_prompts_too_long_are_refused_with_the_length_that_would_do():
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=100, max_length=9)
    with pytest.raises(RsforgeError) as caught:
        check_lengths(tokenizer, PROMPTS)
    assert caught.value.code == "RSF-U005" and "1 prompt of 2" in caught.value.what
    assert "--max-length 12" in caught.value.fix
    check_lengths(WordTokenizer.from_prompts(PROMPTS, vocab_size=100, max_length=12), PROMPTS)


def test_words_that_a_vocabulary_lacks_are_named():
    console = RecordingConsole()
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=100, max_length=12)
    warn_of_unknown_words(tokenizer, PROMPTS, console)
    assert not console.warned
    warn_of_unknown_words(tokenizer, ["Region: boreal"], console)
    assert console.warned == ["the text encoder does not know 1 word of the prompts: boreal"]


def test_pairs_come_with_what_their_tables_say():
    pairs = load_pairs("synthetic", RecordingConsole())
    assert len(pairs.train_metadata) == len(pairs.train) and len(pairs.held_out_metadata) == len(pairs.held_out)
    seasons = {one["season"] for one in pairs.train_metadata}
    assert seasons == {"winter", "spring", "summer", "fall"}
    assert pairs.train.name(0).startswith(pairs.train_metadata[0]["scene"])
