"""The files of CLIP's tokenizer, and what is none."""

from __future__ import annotations

import json

import pytest
import torch

from rsforge.data.clip_tokenizer_files import read_clip_tokenizer
from tests.worlds.clip_tokens import AWKWARD, PAIRS, vocabulary, write_tables


@pytest.mark.parametrize("joined", [True, False], ids=["strings", "pairs"])
def test_one_file_is_as_good_as_two(tmp_path, joined):
    write_tables(tmp_path / "two")
    merges = PAIRS if joined else [pair.split() for pair in PAIRS]
    model = {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": vocabulary(), "merges": merges}
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "tokenizer.json").write_text(json.dumps({"model": model}))
    one, two = read_clip_tokenizer(tmp_path / "one"), read_clip_tokenizer(tmp_path / "two")
    assert torch.equal(one.encode(AWKWARD), two.encode(AWKWARD)) and one.max_length == 77


def test_the_file_that_transformers_writes_is_read(tmp_path):
    transformers = pytest.importorskip("transformers")
    write_tables(tmp_path / "tables", config={"pad_token": "!", "model_max_length": 77})
    theirs = transformers.CLIPTokenizer.from_pretrained(tmp_path / "tables")
    theirs.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "tokenizer.json").is_file()
    ids = theirs(AWKWARD, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    assert torch.equal(read_clip_tokenizer(tmp_path / "saved").encode(AWKWARD), ids)


def test_a_missing_table_is_named(tmp_path):
    write_tables(tmp_path)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        read_clip_tokenizer(tmp_path)
    assert str(caught.value.filename).endswith("merges.txt")


BROKEN = {
    "vocab.json": [("{", "no JSON"), ("[1]", "no JSON object"), ('{"a": 1.5}', "ids from 0"),
                   ('{"a": 1, "b": 1}', "one id"), ('{"a": 0}', "no token"), ('{"a": -1}', "ids from 0")],
    "merges.txt": [("#version: 0.2\na b c\n", "no pair"), ("#version: 0.2\n", "pairs of 10 words"),
                   ("a n\n", "pairs of 9 words of the vocabulary: 'tr', 'ee', 'tree', and 6 more"),
                   ("q w\n", "`qw` out of vocabulary")],
    "tokenizer.json": [('{"model": {"vocab": {}}}', "no byte-pair"),
                       ('{"model": {"vocab": {"a": 0}, "merges": []}}', "no ends of words")],
    "tokenizer_config.json": [("nonsense", "no JSON"), ('{"pad_token": "<pad>"}', "no token <pad>")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "reason"), [(n, t, r) for n, cases in BROKEN.items() for t, r in cases])
def test_files_that_are_no_tokenizer_are_refused(tmp_path, name, text, reason):
    write_tables(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_clip_tokenizer(tmp_path)


def test_text_that_is_no_utf8_is_refused(tmp_path):
    write_tables(tmp_path)
    (tmp_path / "merges.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="no UTF-8"):
        read_clip_tokenizer(tmp_path)
