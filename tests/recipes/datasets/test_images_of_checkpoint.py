"""Which images an autoencoder is measured on: a subset of a split, the division of its training, or all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rsforge.data.images.tile_dataset import TileIndex, scan, split_digest
from rsforge.data.splits.split_file import load_split
from rsforge.data.splits.tiles import split_tiles
from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets import image_folder, images_of_checkpoint
from rsforge.recipes.datasets.images_of_checkpoint import open_images, open_subset
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.training import output_dir
from rsforge.settings.base import RunSettings
from rsforge.settings.vae import VaeTileSettings, VaeTrainSettings
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pair_training import sample_names


@pytest.fixture(scope="module")
def drawn_tiles(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "tiles"
    write_tiles(folder, 20, 16, seed=3)
    return folder


@pytest.fixture
def tiles(drawn_tiles, tmp_path) -> Path:
    return shutil.copytree(drawn_tiles, tmp_path / "tiles")


@pytest.fixture
def divided(tiles) -> Path:
    assert rsforge("data split --data-dir {} --by scene --val 0.3 --test 0.2 --quiet", tiles) == 0
    return tiles


def state_of(place: Path | str, console: RecordingConsole, **data) -> tuple[dict, image_folder.ImageSets]:
    """What a checkpoint of a training on ``place`` says, and the images of that training."""
    settings = VaeTrainSettings(
        run=RunSettings(seed=7, output_dir=Path("/nowhere")),
        data=VaeTileSettings(data_dir=str(place), image_size=16, **data),
    )
    images = image_folder.load_images(settings.data, settings.run, console)
    return {"image_size": 16, "images": images.identity, "settings": output_dir.plain(settings)}, images


def measured(
    place, subset, state, console, *, split="auto", exclude=Path("/nowhere"), on_bad="error"
) -> MeasuredSubset:
    options = {"split_choice": split, "image_size": 16, "on_bad": on_bad, "exclude": exclude}
    return open_subset(str(place), subset, console, state=state, **options)


def refused(code: str, *arguments, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        measured(*arguments, **options)
    assert caught.value.code == code
    return caught.value


def test_every_subset_of_a_split_is_measured(divided, console):
    state, _ = state_of(divided, console)
    split = load_split(divided / "split.json")
    for subset, trained in (("train", 10), ("val", 0), ("test", 0)):
        found = measured(divided, subset, state, console)
        assert sample_names(found.samples) == set(split.subsets[subset]) and found.own and found.trained == trained
    whole = measured(divided, "all", state, console)
    assert len(whole.samples) == 20 and whole.trained == 10 and not whole.own
    assert console.has_line("the model was trained on 10 of these 20 images")


def test_unless_told_otherwise_it_is_the_test_subset_then_what_was_held_out(divided, console):
    state, _ = state_of(divided, console)
    found = measured(divided, "auto", state, console)
    assert (found.subset, found.reason, len(found.samples)) == ("test", "the split has one", 4)
    assert console.has_line("side       test: the split has one")
    assert rsforge("data split --data-dir {} --by scene --val 0.3 --overwrite --quiet", divided) == 0
    state, _ = state_of(divided, console)
    found = measured(divided, "auto", state, console)
    assert (found.subset, len(found.samples), found.own) == ("val", 6, True)


def test_a_split_that_the_checkpoint_was_not_trained_by_is_told(divided, console):
    state, _ = state_of(divided, console, split="none")
    found = measured(divided, "val", state, console)
    assert not found.own and found.trained is None and console.has_line("not trained by this split")


def test_without_a_split_the_division_of_the_training_is_made_again(tiles, console):
    state, images = state_of(tiles, console, val_fraction=0.25)
    for subset, own in (("val", images.held_out), ("train", images.plain), ("auto", images.held_out)):
        found = measured(tiles, subset, state, console)
        assert sample_names(found.samples) == sample_names(own) and found.own
        assert found.trained == (15 if subset == "train" else 0)
    assert measured(tiles, "all", state, console).trained == 15


def test_pictures_of_the_run_among_the_images_are_none_of_them(tiles, console):
    state, images = state_of(tiles, console)
    write_tiles(tiles / "run", 2, 16, seed=9)
    found = measured(tiles, "auto", state, console, exclude=tiles / "run")
    assert sample_names(found.samples) == sample_names(images.held_out)
    assert measured(tiles, "auto", state, console).subset == "all"


def test_where_nothing_was_held_out_or_the_images_are_others_all_are_measured(tiles, tmp_path, console):
    whole, _ = state_of(tiles, console, val_fraction=0)
    write_tiles(tmp_path / "other", 5, 16, seed=9)
    state, _ = state_of(tiles, console)
    for place, checkpoint, reason, trained in (
        (tiles, whole, "nothing was held out of the training", 20),
        (tiles, {"image_size": 16}, "the checkpoint does not say how it was trained", None),
        (tmp_path / "other", state, "these are not the images of the training, or not as they were divided", None),
    ):
        found = measured(place, "auto", checkpoint, console)
        assert (found.subset, found.reason, found.trained, found.own) == ("all", reason, trained, False)
        assert console.has_line(f"side       all: {reason}")


def test_what_cannot_be_divided_again_is_refused(tiles, tmp_path, console):
    state, _ = state_of(tiles, console)
    whole, _ = state_of(tiles, console, val_fraction=0)
    write_tiles(tmp_path / "other", 5, 16, seed=9)
    assert "no split.json" in refused("RSF-U005", tiles, "test", state, console).found
    refused("RSF-U005", tiles, "val", {"image_size": 16}, console)
    refused("RSF-D004", tiles, "val", whole, console)
    assert "rsforge data split" in refused("RSF-D012", tmp_path / "other", "val", state, console).fix


def test_what_chose_nothing_is_measured_first(tiles, console):
    state, images = state_of(tiles, console, val_fraction=0.2, test_fraction=0.3)
    assert state["images"]["test"] == 6 and console.has_line("chosen on val, and judged on test")
    found = measured(tiles, "auto", state, console)
    assert (found.subset, found.own, found.trained) == ("test", True, 0)
    assert sample_names(found.samples) == sample_names(images.test)
    assert sample_names(measured(tiles, "val", state, console).samples) == sample_names(images.held_out)
    assert sample_names(measured(tiles, "test", state, console).samples) == sample_names(images.test)
    assert console.has_line("side       test: held out of the training and of its choice")
    del state["settings"]["data"]["test_fraction"], state["images"]["test"]
    assert measured(tiles, "auto", state, console).subset == "all"  # without it, another division


def test_drawn_images_that_chose_nothing_are_measured_first(console):
    state, images = state_of("synthetic", console)
    found = measured("synthetic", "auto", state, console)
    assert found.subset == "test" and sample_names(found.samples) == sample_names(images.test)
    assert sample_names(measured("synthetic", "val", state, console).samples) == sample_names(images.held_out)


def test_images_that_a_training_left_out_count_nowhere(tiles, divided, console):
    index = scan(tiles)
    used = sorted(tile.name for tile in index.tiles)[:12]
    kept = TileIndex(index.root, [tile for tile in index.tiles if tile.name in used])
    train, val, _ = split_tiles(kept, val_fraction=0.25, seed=7)
    settings = {"data": {"val_fraction": 0.25}, "run": {"seed": 7}}
    state = {"settings": settings, "images": {"split": split_digest(train, val), "held_out": len(val)}}
    folder = images_of_checkpoint.ImageFolder(index, "none", state, console, used)
    chosen = images_of_checkpoint.choose_images(folder, "auto")
    assert chosen.tiles == val and chosen.own and images_of_checkpoint.divide_as_trained(folder) == (train, val, [])
    assert len(images_of_checkpoint.choose_images(folder, "all").tiles) == 12
    folder = images_of_checkpoint.ImageFolder(index, "auto", state, console, used)
    names = {
        tile.name
        for side in ("train", "val", "test")
        for tile in images_of_checkpoint.choose_images(folder, side).tiles
    }
    assert names == set(used)


def test_one_image_is_measured_for_itself(tiles, console):
    state, _ = state_of(tiles, console)
    found = measured(min(tiles.glob("*.png")), "auto", state, console)
    assert (len(found.samples), found.subset, found.scenes) == (1, "all", [""])


def test_scenes_are_known_by_the_names_of_patches(tmp_path, console):
    write_tiles(tmp_path / "patches", 3, 16, seed=1)
    for k, path in enumerate(sorted((tmp_path / "patches").glob("*.png"))):
        path.rename(path.with_name(f"field_r00000_c{k:05d}.png"))
    state, _ = state_of(tmp_path / "patches", console, val_fraction=0)
    assert measured(tmp_path / "patches", "all", state, console).scenes == ["field"] * 3


def test_bad_images_stop_or_are_left_out(tiles, console):
    state, _ = state_of(tiles, console)
    (tiles / "bad.png").write_bytes(b"no picture")
    refused("RSF-D002", tiles, "all", state, console)
    assert len(measured(tiles, "all", state, console, on_bad="skip").samples) == 20 and console.has_line(
        "left out bad.png"
    )


def test_drawn_scenes_have_subsets_where_they_were_trained_on(tiles, console, monkeypatch):
    for module in (image_folder, images_of_checkpoint):
        monkeypatch.setattr(module, "SYNTHETIC_COUNT", 16)
    state, images = state_of("synthetic", console, val_fraction=0.25)
    for subset, own in (("auto", images.held_out), ("val", images.held_out), ("train", images.plain)):
        assert sample_names(measured("synthetic", subset, state, console).samples) == sample_names(own)
    assert len(measured("synthetic", "all", state, console).samples) == 16
    other, _ = state_of(tiles, console)
    found = measured("synthetic", "auto", other, console)
    assert (found.subset, found.reason) == ("all", "the model was not trained on synthetic scenes")
    assert "no subset val" in refused("RSF-U005", "synthetic", "val", other, console).what
    refused("RSF-U005", "synthetic", "test", state, console)


def test_all_images_are_opened_for_what_needs_no_subset(tiles, console, monkeypatch):
    assert len(open_images(str(tiles), 16, console, state={})) == 20
    assert len(open_images(str(min(tiles.glob("*.png"))), 16, console, state={})) == 1
    monkeypatch.setattr(images_of_checkpoint, "SYNTHETIC_COUNT", 3)
    assert len(open_images("synthetic", 16, console, state={})) == 3 and console.has_line("not satellite images")


def test_a_division_that_kept_shared_pixels_together_is_made_again(tmp_path, console):
    write_overlapping_pairs(tmp_path)
    folder = tmp_path / "agri" / "s2"
    for wanted in (True, False):
        state, images = state_of(folder, console, val_fraction=0.5, overlap_by_content=wanted)
        if not wanted:
            del state["settings"]["data"]["overlap_by_content"]  # as in older checkpoints
        found = measured(folder, "val", state, console)
        assert sample_names(found.samples) == sample_names(images.held_out)
