"""``data parquet-to-jsonl`` alone takes the one Parquet set that is there, and chooses none of several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.data.find_parquet import find_set
from tests.worlds.commands import rsforge


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train.parquet"], "train.parquet"),
        (["data/train.PARQUET", "data/a.txt", "deep/er/other.parquet"], "data/train.PARQUET"),
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], "data/train-*-of-00002.parquet"),
        (["a.txt"], None),
    ],
)
def test_the_one_set(names, found):
    make(*names)
    assert find_set({})[0].get("parquet_path") == found


@pytest.mark.parametrize(
    "names", [["a.parquet", "data/b.parquet"], ["data/train-0-of-2.parquet", "data/test-0-of-2.parquet"]]
)
def test_of_several_none_is_chosen_and_all_are_named(names):
    make(*names)
    with pytest.raises(RsforgeError) as caught:
        find_set({})
    assert caught.value.code == "RSF-U001" and "--parquet-path" in caught.value.fix
    assert len(caught.value.found.split(", ")) == 2


def test_one_that_is_named_is_left_alone():
    make("a.parquet", "b.parquet")
    assert find_set({"parquet_path": "a.parquet"})[0] == {}


def test_the_base_folder_is_searched():
    make("w/data/train.parquet", "other.parquet")
    assert find_set({"base_dir": "w"})[0] == {"parquet_path": "data/train.parquet"}


def test_the_command_alone(captioned, capsys):
    capsys.readouterr()
    assert rsforge("data parquet-to-jsonl --resolution 16 --json") == 0
    out, err = capsys.readouterr()
    assert "using      --parquet-path data/train.parquet (the one Parquet set here and in data)" in err
    assert json.loads(out)["images"] == 2
    assert {"captions.txt", "metadata.jsonl", "rsicd_images"} <= {p.name for p in Path("data").iterdir()}


def test_nothing_there_is_told_in_one_sentence(capsys):
    assert rsforge("data parquet-to-jsonl") == 2
    assert "--parquet-path is required: parquet file, folder of shards, or quoted glob" in capsys.readouterr().err


@pytest.fixture
def captioned():
    assert rsforge("data synth --kind captions --count 2 --size 16 --output-dir world") == 0
    (parquet,) = Path("world").rglob("*.parquet")
    Path("data").mkdir()
    parquet.rename("data/train.parquet")
