"""Sides that words, shards and folders state."""

from __future__ import annotations

import pytest

from rsforge.data.names.sides import are_several, side_of_path, side_of_shard, side_of_word


@pytest.mark.parametrize(
    ("word", "side"),
    [("train", "train"), (" Validation ", "val"), ("valid", "val"), ("dev", "val"), ("TEST", "test"),
     ("restval", "train"), ("extra", ""), (None, ""), (1, "")],
)  # fmt: skip
def test_words_for_sides(word, side):
    assert side_of_word(word) == side


@pytest.mark.parametrize(
    ("name", "side"),
    [("train-00000-of-00001.parquet", "train"), ("rsicd_train-00000-of-00001.parquet", "train"),
     ("validation-0001.parquet", "val"), ("test_000.tar", "test"), ("test.parquet", "test"),
     ("shard-000000.tar", ""), ("0000.parquet", ""), ("constraint-01.parquet", "")],
)  # fmt: skip
def test_names_of_shards_state_a_side(name, side):
    assert side_of_shard(name) == side


def test_folders_state_a_side_and_files_do_not():
    assert side_of_path("train/a.png") == "train" and side_of_path("images/valid/x/a.png") == "val"
    assert side_of_path("test.png") == side_of_path("trains/a.png") == ""
    assert are_several(["train", "", "val"]) and not are_several(["train", "train", ""])
