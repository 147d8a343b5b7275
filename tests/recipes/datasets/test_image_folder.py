"""Training and held-out images of the section Data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rsforge.data.images.tile_dataset import scan
from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.image_folder import (
    ImageSets,
    SelectedItems,
    divide_by_content,
    draw_images,
    load_images,
    refuse_shared_folder,
)
from rsforge.settings.base import RunSettings
from rsforge.settings.images import TileSettings
from tests.worlds import band_files
from tests.worlds.consoles import RecordingConsole
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pair_training import sample_names
from tests.worlds.published_layouts import overlapping_tiles, save


@pytest.fixture(scope="module")
def tiles(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiles"
    write_tiles(folder, 10, 24, seed=1)
    return folder


def load(data_dir, console, **options) -> ImageSets:
    data = TileSettings(data_dir=str(data_dir), **{"image_size": 16, "val_fraction": 0.2} | options)
    return load_images(data, RunSettings(output_dir=Path("/nowhere")), console)


def test_a_folder_is_divided_and_augmented_for_training_alone(tiles, console):
    images = load(tiles, console, flip=0.5)
    assert images.identity | {"split": ""} == {"split": "", "train": 8, "held_out": 2}
    assert sample_names(images.train) == sample_names(images.plain)
    assert sample_names(images.train).isdisjoint(sample_names(images.held_out))
    plain = images.plain[0, 0]
    views = [images.train[epoch, 0] for epoch in range(12)]
    assert not all(torch.equal(view, plain) for view in views)
    assert torch.equal(images.held_out[0, 1], images.held_out[5, 1])


def test_small_images_are_enlarged_with_a_warning(tiles, console):
    images = load(tiles, console, image_size=32)
    assert images.plain[0, 0].shape == (3, 32, 32) and console.has_line("10 of 10 images are smaller")


def test_nothing_is_cached_for_a_dry_run(tiles):
    console = RecordingConsole()
    assert load(tiles, console).train.cached is not None
    console.dry_run = True
    assert load(tiles, console).train.cached is None


def test_synthetic_scenes_are_divided_by_number(console, monkeypatch):
    monkeypatch.setattr("rsforge.recipes.datasets.image_folder.SYNTHETIC_COUNT", 10)
    images = load("synthetic", console)
    assert (len(images.train), len(images.held_out)) == (8, 2) and console.has_line("10 synthetic scenes")
    assert images.held_out.name(0) == "tile_0009"
    with pytest.raises(RsforgeError) as caught:
        draw_images(2, TileSettings(data_dir="synthetic", image_size=16, val_fraction=0.9), seed=0)
    assert caught.value.code == "RSF-D004"


def test_a_third_side_is_held_out_where_it_is_asked_for(tiles, console):
    images = load(tiles, console, test_fraction=0.3)
    assert images.identity | {"split": ""} == {"split": "", "train": 5, "held_out": 2, "test": 3}
    sides = [sample_names(side) for side in (images.train, images.held_out, images.test)]
    assert len(set().union(*sides)) == 10 and sides[1] == sample_names(load(tiles, console).held_out)
    assert console.has_line("5 train, 2 val, 3 test") and len(set(images.scenes(images.test))) == 3


def test_too_few_images_for_a_third_side_are_two_sides_and_it_is_said(tiles, console):
    assert len(load(tiles, console).test) == 0
    assert console.has_line("judged by what chose it, since a third side wants 20 images")


def test_drawn_scenes_have_three_sides_with_names(console):
    images = draw_images(200, TileSettings(data_dir="synthetic", image_size=16), seed=0, keep_bytes=0)
    assert images.identity | {"split": ""} == {"split": "", "train": 160, "held_out": 20, "test": 20}
    assert images.test.name(0) == "tile_0161" and images.held_out.name(0) == "tile_0181"
    assert images.scenes(images.test)[0] == images.test.name(0)


def test_selected_items_are_numbered_anew(tiles, console):
    images = load(tiles, console)
    selected = SelectedItems(images.plain, [5, 2])
    assert len(selected) == 2 and selected.name(1) == images.plain.name(2)
    assert torch.equal(selected[0, 0], images.plain[0, 5])


def test_images_and_output_need_folders_of_their_own(tmp_path):
    (tmp_path / "run").mkdir()
    refuse_shared_folder(tmp_path, tmp_path / "run")
    refuse_shared_folder(tmp_path / "absent", tmp_path / "absent")
    with pytest.raises(RsforgeError) as caught:
        refuse_shared_folder(tmp_path / "run", tmp_path / "run" / ".")
    assert caught.value.code == "RSF-U005"


def test_images_that_share_pixels_stay_together(tmp_path, console):
    write_overlapping_pairs(tmp_path)
    names = [f"{number}.jpg" for number in range(8)]
    options = {"val_fraction": 0.5, "image_size": 32}
    held_out = sample_names(load(tmp_path / "agri" / "s2", console, **options).held_out)
    assert len(held_out) == 4 and all((names[k] in held_out) == (names[k + 4] in held_out) for k in range(4))
    apart = sample_names(load(tmp_path / "agri" / "s2", console, **options, overlap_by_content=False).held_out)
    assert any((names[k] in apart) != (names[k + 4] in apart) for k in range(4))


def test_tiles_of_a_scene_stay_together_by_their_names(tmp_path, console):
    overlapping_tiles(tmp_path, "{scene}__1__{col}___{row}.png")
    train, held_out, _ = divide_by_content(scan(tmp_path), (0.1, 0.0), 1, console, overlap_by_content=False)
    assert {tile.name[:2] for tile in train}.isdisjoint({tile.name[:2] for tile in held_out}) and held_out
    unknown = overlapping_tiles(tmp_path / "x", "{scene}-{row}x{col}.png")
    with pytest.raises(RsforgeError, match="scenes are unknown") as caught:
        divide_by_content(scan(unknown), (0.1, None), 1, console, overlap_by_content=True)
    assert caught.value.where == "--val-fraction" and "--val-fraction 0" in caught.value.fix
    assert divide_by_content(scan(unknown), (0, None), 1, console, overlap_by_content=True)[1] == []


def test_bands_in_files_of_their_own_are_images_together(tmp_path, console):
    for n in range(4):
        band_files.optical(tmp_path, stem=f"T33_{n}")
        band_files.optical(tmp_path, "{stem}_SCL.tif", stem=f"T33_{n}", bands=("B02",))
    sets = load(tmp_path, console, image_size=16, val_fraction=0.25, range=("0", "500"))
    assert len(sets.train) == 3
    assert all(name.endswith("_{B02,B03,B04,B05}.tif") for name in sample_names(sets.held_out))
    assert any("left out 4 files beside" in line and "T33_0_SCL.tif" in line for line in console.warned)
    colours = (sets.plain[0, 0] + 1) * 250  # of the numbers of the bands: red is B04
    assert [round(float(one)) for one in colours.mean(dim=(1, 2)) / 100] == [4, 3, 2]


def test_what_is_taken_for_plain_images_is_said(tmp_path, console):
    for n in range(4):
        save(tmp_path / "sides" / "sar" / f"{n}.png", n)
    load(tmp_path / "sides", console)
    assert any("its name says SAR" in line for line in console.warned)
