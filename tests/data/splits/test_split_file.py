"""The split file: hashed, refused when it is not what was written, or of other data."""

from __future__ import annotations

import json
import re

import pytest

from rsforge.data.splits.split_file import Split, load_split, write_split
from rsforge.errors import RsforgeError

SPLIT = Split("scene", 7, {"train": ["a", "b"], "val": ["c\udcff"], "test": []}, ["d"], {"data_digest": "12"})


def test_it_comes_back_the_same(tmp_path):
    path = tmp_path / "split.json"
    write_split(path, SPLIT)
    assert load_split(path) == SPLIT and load_split(path).digest == SPLIT.digest
    assert path.read_text("ascii") == SPLIT.text()


def damage(record, change):
    change(record)
    return json.dumps(record)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["sides"]["val"].append("b"),
        lambda r: r["sides"]["val"].clear(),
        lambda r: r.update(seed=8),
        lambda r: r.update(digest="0" * 64),
        lambda r: r.update(more=1),
        lambda r: r.pop("digest"),
        lambda r: r.pop("sides"),
        lambda r: r.update(subsets=[]),
        lambda r: r.update(version=2),
    ],
)
def test_a_changed_file_is_refused(tmp_path, change):
    path = tmp_path / "split.json"
    path.write_text(damage(json.loads(SPLIT.text()), change))
    with pytest.raises(RsforgeError, match="damaged") as caught:
        load_split(path)
    assert caught.value.code == "RSF-D012" and caught.value.where == str(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, "\udcff"])
def test_what_is_no_split_is_refused(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RsforgeError) as caught:
        load_split(path)
    assert caught.value.code == "RSF-D012"


@pytest.mark.parametrize(
    "sides",
    [
        {"train": ["a"], "val": ["a"], "test": []},
        {"train": ["a"], "val": []},
        {"train": [1], "val": [], "test": []},
        {"train": [["a"]], "val": [], "test": []},
        {"train": "ab", "val": [], "test": []},
    ],
)
def test_a_rightly_hashed_file_must_still_make_sense(tmp_path, sides):
    path = tmp_path / "split.json"
    path.write_text(Split("scene", 1, sides).text())
    with pytest.raises(RsforgeError) as caught:
        load_split(path)
    assert caught.value.code == "RSF-D012"


@pytest.mark.parametrize("facts", [{"guard": "x"}, {"guard": True}, {"leak": 1}, {"kind": []}, {"contents": "x"}, []])
def test_facts_that_are_used_must_make_sense(tmp_path, facts):
    path = tmp_path / "split.json"
    path.write_text(Split("scene", 1, {"train": ["a"], "val": [], "test": []}, [], facts).text())
    with pytest.raises(RsforgeError) as caught:
        load_split(path)
    assert caught.value.code == "RSF-D012"


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"digest": 1}', '{"digest": 1, "by": 1}', "\xff"])
def test_damage_is_told_in_the_words_of_people(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RsforgeError) as caught:
        load_split(path)
    assert caught.value.found.startswith("it") and not re.search("Error|object|codec|subscript", caught.value.found)


def test_names_are_found_on_their_side():
    assert SPLIT.subset_of(["c\udcff", "d", "a", "unknown"]) == ["val", None, "train", None]


def test_other_data_are_named():
    SPLIT.check(["d", "c\udcff", "b", "a"])
    with pytest.raises(RsforgeError) as caught:
        SPLIT.check(["d", "b", "a", "new", "newer"])
    assert caught.value.code == "RSF-D012"
    assert caught.value.found == "2 not in the split (new, ...); 1 no longer there (c\udcff)"


def test_changed_contents_are_noticed():
    SPLIT.check_contents("12")
    with pytest.raises(RsforgeError, match="files changed") as caught:
        SPLIT.check_contents("13")
    assert caught.value.code == "RSF-D012"
