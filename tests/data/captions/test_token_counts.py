from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.captions.token_counts import count_at_least, make_counter
from rsforge.data.clip_tokenizer import LIMIT
from rsforge.errors import RsforgeError
from tests.worlds.clip_tokens import write_tables

TEXTS = [
    "a river and green trees .",
    "A RIVER'S bend, 24 boats; it's    wide",
    "Überfluß am Straßenrand — 東京 42½ 🛰️ \t tab\nline",
    "",
    "e\u0301e naïve <|endoftext|> x",
    "the " * 80,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tables(folder)
    return folder


@pytest.fixture(scope="module")
def reference(folder):
    transformers = pytest.importorskip("transformers")
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    merges = [tuple(line.split()) for line in (folder / "merges.txt").read_text("utf-8").splitlines()[1:]]
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges)


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_counted_as_clip_counts_them(folder, reference, text):
    assert make_counter(folder)(text) == len(reference(text)["input_ids"])


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_the_count_is_clip_s_and_the_estimate_never_above_it(folder, reference, text):
    exact = make_counter(folder)(text)
    assert exact == len(reference(text)["input_ids"])
    assert 2 <= count_at_least(text) <= exact


def test_a_tokenizer_file_is_read_whole_even_where_it_truncates(folder, reference, tmp_path):
    reference.backend_tokenizer.enable_truncation(5)
    reference.backend_tokenizer.enable_padding(length=90)
    reference.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    reference.backend_tokenizer.no_truncation()
    reference.backend_tokenizer.no_padding()
    for place in (tmp_path, tmp_path / "tokenizer.json"):
        assert make_counter(place)(TEXTS[0]) == make_counter(folder)(TEXTS[0]) > 7


def test_words_are_counted_where_no_tokenizer_is():
    assert make_counter(None)("a river's bend, 24 boats") == 2 + 8
    assert count_at_least("word " * (LIMIT - 2)) == LIMIT


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"version": "1.0"}', "\0\1"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, text):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(RsforgeError) as caught:
        make_counter(tmp_path)
    assert caught.value.code == "RSF-D006" and str(tmp_path) in caught.value.what


def test_a_folder_without_tables_is_named(tmp_path):
    with pytest.raises(RsforgeError) as caught:
        make_counter(tmp_path)
    assert caught.value.code == "RSF-D006" and "vocab.json is not there" in caught.value.what
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RsforgeError) as caught:
        make_counter(tmp_path / "pipe")
    assert "not a regular file" in caught.value.what
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(RsforgeError) as caught:
        make_counter(tmp_path)
    assert caught.value.code == "RSF-D006"
