"""Training and measuring follow the split that was stored, and no other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from rsforge.data.splits.split_file import Sides, load_split, write_split
from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import checkpoint
from rsforge.recipes.datasets.stored_split import report_sides
from tests.worlds.commands import VAE, rsforge
from tests.worlds.consoles import RecordingConsole

BY_TRAINING = "the best model is chosen by the figures of its training"
ONE = f"--epochs 1 --json {VAE}"


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("divided") / "tiles"
    write_tiles(folder, 20, 16, seed=3)
    assert rsforge("data split --data-dir {} --by scene --val 0.3 --test 0.2 --quiet", folder) == 0
    return folder


@pytest.fixture
def own(tiles, tmp_path):
    return shutil.copytree(tiles, tmp_path / "tiles")


def trained(folder, tmp_path, more=""):
    return rsforge(f"vae train --data-dir {{}} --output-dir {{}} {ONE} {more}", folder, tmp_path / "vae")


def images(tmp_path):
    return checkpoint.load(tmp_path / "vae" / "latest_model.pt", kind="vae")["images"]


def test_the_split_of_the_folder_is_followed(tiles, tmp_path, capsys):
    split = load_split(tiles / "split.json")
    assert trained(tiles, tmp_path) == 0
    assert [images(tmp_path)[k] for k in ("train", "held_out")] == [len(split.subsets[k]) for k in ("train", "val")]
    assert f"by scene: 10 train, 6 val, 4 test, digest {split.digest[:12]}" in capsys.readouterr().err


def test_none_leaves_it_aside(tiles, tmp_path):
    assert trained(tiles, tmp_path, "--split none --val-fraction 0.1") == 0
    assert images(tmp_path)["held_out"] == 2


def test_a_named_split_is_followed(own, tmp_path, capsys):
    (own / "split.json").rename(tmp_path / "mine.json")
    code = rsforge(
        f"vae train --data-dir {{}} --split {{}} --output-dir {{}} {ONE}", own, tmp_path / "mine.json", tmp_path / "vae"
    )
    assert code == 0 and "6 val" in capsys.readouterr().err


def test_a_fraction_beside_a_split_is_said_to_be_idle(tiles, tmp_path, capsys):
    trained(tiles, tmp_path, "--val-fraction 0.1 --dry-run")
    assert "--val-fraction is not used" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["gone", "new", "other"])
def test_other_images_than_were_divided_are_refused(own, tmp_path, capsys, change):
    first, name = min(own.glob("*.png")), min(own.glob("*.png")).name
    if change == "gone":
        first.unlink()
    elif change == "new":
        write_tiles(own / "more", 1, 16, seed=9)
        name = "more/"
    else:
        write_tiles(tmp_path / "fresh", 1, 16, seed=9)
        next((tmp_path / "fresh").glob("*.png")).replace(first)
    assert trained(own, tmp_path) == 3
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert told["code"] == "RSF-D012" and name in told["found"]
    assert not (tmp_path / "vae" / "latest_model.pt").exists()


def test_a_split_without_training_images_is_refused(own, tmp_path, capsys):
    split = load_split(own / "split.json")
    everyone = sorted(name for members in split.subsets.values() for name in members)
    write_split(own / "split.json", replace(split, subsets={"train": [], "val": everyone, "test": []}))
    assert trained(own, tmp_path) == 3
    assert "RSF-D004" in capsys.readouterr().err


def test_a_split_that_the_checkpoint_was_not_trained_by_is_told(tiles, own, tmp_path, capsys):
    assert trained(tiles, tmp_path) == 0
    line = "vae evaluate --checkpoint {} --data-dir {} --side val"
    checkpoint = tmp_path / "vae" / "latest_model.pt"
    capsys.readouterr()
    assert rsforge(line, checkpoint, tiles) == 0 and "not trained by this split" not in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --by scene --val 0.3 --test 0.2 --seed 9 --overwrite", own) == 0
    assert rsforge(line, checkpoint, own) == 0 and "not trained by this split" in capsys.readouterr().err


def test_a_split_of_pairs_says_where_both_images_stand(tmp_path, capsys):
    world = tmp_path / "world"
    assert rsforge("data synth --kind pairs --count 12 --size 16 --output-dir {}", world) == 0
    assert rsforge("data split --data-dir {} --by scene --val 0.3", world) == 0
    assert trained(world, tmp_path) == 0
    sides = load_split(world / "split.json").subsets
    assert images(tmp_path) | {"split": ""} == {
        "split": "",
        "train": 2 * len(sides["train"]),
        "held_out": 2 * len(sides["val"]),
    }


def test_a_split_file_that_is_not_there(tiles, tmp_path, capsys):
    assert trained(tiles, tmp_path, "--split nowhere.json") == 3 and "RSF-D012" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        (
            Sides([1], [], []),
            f"1 train: nothing is held out: {BY_TRAINING}, and no image judges it",
        ),
        (
            Sides([1], [], [2]),
            f"1 train, 1 test: {BY_TRAINING}, and judged on test",
        ),
        (Sides([1], [2], [3]), "1 train, 1 val, 1 test: the best model is chosen on val, and judged on test"),
        (Sides([1], [2], []), "1 train, 1 val: the best model is judged by what chose it"),
    ],
)
def test_it_is_said_what_chooses_and_what_judges(sides, words):
    console = RecordingConsole()
    report_sides(sides, console)
    assert words in "\n".join(console.said)
