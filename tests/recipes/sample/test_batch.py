"""``sample batch``: names, turns of regions and seasons, and files that fail."""

from __future__ import annotations

import json
import shutil

import numpy as np

from rsforge.recipes.sample import batch, sar_images
from tests.worlds.rasters import ramp, write
from tests.worlds.sar_diffusion import first_image


def test_batch_takes_sorted_files_and_names_them_by_region_and_season(sample, sar_world, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("b.png", "a.png", "c.png"):
        shutil.copy(first_image(sar_world), folder / name)
    result, _ = sample("batch", "--input-dir in --regions tropical arctic --seasons winter --output-dir out")
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == [
        "a_tropical_winter_generated.png", "b_arctic_winter_generated.png", "c_tropical_winter_generated.png",
        "grid.png", "manifest.json",
    ]  # fmt: skip
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [image["region"] for image in manifest["images"]] == ["tropical", "arctic", "tropical"]
    assert result["images"] == 3 and manifest["seed"] == 1


def test_trap_19_a_file_that_fails_is_named_and_the_rest_is_done(sample, sar_world, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(first_image(sar_world), folder / "b.png")
    (folder / "a.png").write_bytes(b"no image")
    write(folder / "c.tif", ramp(40, 40, 2, "uint8"))
    write(folder / "d.tif", np.zeros((40, 40, 1), np.uint8), nodata=0)
    result, said = sample("batch", "--input-dir in --output-dir out", code=3)
    assert result["images"] == 1 and [one["name"] for one in result["left_out"]] == ["a.png", "c.tif", "d.tif"]
    assert "RSF-D002" in said and (tmp_path / "out" / "b_temperate_summer_generated.png").is_file()


def test_an_image_is_the_same_whether_or_not_another_file_fails(sample, sar_world, tmp_path):
    for folder in ("whole", "damaged"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            shutil.copy(first_image(sar_world), tmp_path / folder / name)
    (tmp_path / "damaged" / "a.png").write_bytes(b"no image")
    sample("batch", "--input-dir whole --output-dir out1")
    sample("batch", "--input-dir damaged --output-dir out2", code=3)
    one, other = (tmp_path / out / "b_temperate_summer_generated.png" for out in ("out1", "out2"))
    assert one.read_bytes() == other.read_bytes()


def test_images_are_read_one_after_the_other(sample, sar_world, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for number in range(3):
        shutil.copy(first_image(sar_world), tmp_path / "in" / f"{number}.png")
    happened: list[str] = []
    for name in ("read_sar", "write_drawn"):
        module = batch if name == "read_sar" else sar_images
        monkeypatch.setattr(module, name, note(happened, name, getattr(module, name)))
    sample("batch", "--input-dir in --output-dir out")
    assert happened == ["read_sar", "write_drawn"] * 3


def note(happened, name, function):
    """``function``, whose calls are written down."""

    def call(*arguments):
        happened.append(name)
        return function(*arguments)

    return call


def test_images_of_equal_names_keep_their_folders(sample, sar_world, tmp_path):
    for folder in ("north", "south"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shutil.copy(first_image(sar_world), tmp_path / "in" / folder / "a.png")
    result, _ = sample("batch", "--input-dir in --output-dir out")
    made = [f"{folder}/a_temperate_summer_generated.png" for folder in ("north", "south")]
    assert result["images"] == 2 and all((tmp_path / "out" / name).is_file() for name in made)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [image["file"] for image in manifest["images"]] == made


def test_two_images_that_would_be_one_file_are_refused(sample, sar_world, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "a.PNG"):
        shutil.copy(first_image(sar_world), tmp_path / "in" / name)
    error, _ = sample("batch", "--input-dir in --output-dir out", code=2)
    assert error["code"] == "RSF-U005" and "two images would become" in error["message"]
    assert not (tmp_path / "out").exists()


def test_images_of_which_the_centre_alone_is_drawn_are_named(sample, sar_world, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(first_image(sar_world), folder / "a.png")
    write(folder / "wide.tif", ramp(40, 48, 1, "uint8"))
    _, said = sample("batch", "--input-dir in --output-dir out")
    assert "centre square alone is drawn of 1 image (wide.tif)" in said
