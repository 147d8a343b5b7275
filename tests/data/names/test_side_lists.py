"""Published divisions as lists of names."""

from __future__ import annotations

import json

import pytest

from rsforge.data.names.side_lists import read_side_lists
from rsforge.errors import RsforgeError

LISTS = {"train": ["a.png", "b.png"], "valid": ["c.png"], "test": []}


@pytest.mark.parametrize("record", [LISTS, {"data": LISTS}])
def test_names_get_their_sides(tmp_path, record):
    (tmp_path / "x.json").write_text(json.dumps(record))
    assert read_side_lists(tmp_path / "x.json") == {"a.png": "train", "b.png": "train", "c.png": "val"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "Expecting"), ("[]", "no object of lists by subset"), ("{}", "no object of lists by subset"),
        ('{"train": ["a"], "fold": ["b"]}', "fold is no subset"), ('{"train": [1], "val": []}', "train is no subset"),
        ('{"train": ["a"], "test": ["a"]}', "a is in train and in test"), ("[" * 100_000, "recursion"),
    ],
)  # fmt: skip
def test_what_is_no_division_is_refused(tmp_path, text, found):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RsforgeError) as caught:
        read_side_lists(tmp_path / "x.json")
    assert caught.value.code == "RSF-D006" and found in caught.value.found


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RsforgeError) as caught:
        read_side_lists(tmp_path / "x.json")
    assert "x.json" in str(caught.value) + caught.value.where
