"""``sample scene``: a raster of any size goes in, and one of the same place comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from PIL import Image

from rsforge.data.io.rasters import read_raster
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.diffusion.sar_pipeline import Request
from rsforge.recipes.sample.scene_latents import ScenePainter
from tests.worlds.rasters import write
from tests.worlds.sampling import break_images
from tests.worlds.sar_diffusion import first_image

PLACE = {"crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5_800_000)}


def read(path) -> np.ndarray:
    """The bands ``(C, H, W)`` of a GeoTIFF."""
    return np.moveaxis(read_raster(Path(path)).values, -1, 0)


@pytest.fixture
def sar(tmp_path):
    """A SAR scene of 45 x 75 pixels with a gap in its upper left corner."""
    values = np.random.default_rng(0).integers(1, 255, (45, 75, 1)).astype(np.uint8)
    values[:9, :7] = 0
    return write(tmp_path / "sar.tif", values, nodata=0, **PLACE)


def test_the_scene_lies_where_the_sar_image_does(sample, sar, tmp_path):
    result, said = sample("scene", "--input {} --output new/optical.tif --samples 2", sar)
    with rasterio.open("new/optical.tif") as file:
        image, mask = file.read(), file.dataset_mask()
        assert image.shape == (3, 45, 75) and file.crs == PLACE["crs"] and file.transform == PLACE["transform"]
        assert file.tags()["PROMPT"] == result["prompt"] == "Colorise image, Region: temperate, Season: summer"
    assert not mask[:9, :7].any() and (mask > 0).sum() == result["valid_pixels"] == 45 * 75 - 63
    mean, spread = read("new/optical_mean.tif"), read("new/optical_spread.tif")
    assert mean.dtype == np.uint8 and not np.array_equal(mean, image)
    clipped = np.isin(mean[:, 9:], (0, 255)).all(0)  # both draws are at an end of the range
    assert clipped.mean() < 0.01 and ((spread[0, 9:] > 0) | clipped).all()
    assert spread.dtype == np.float32 and np.isnan(spread[0, :9, :7]).all()
    assert json.loads((tmp_path / "new/optical.json").read_text())["files"] == result["files"]
    assert "not georeferenced" not in said


def test_the_mean_and_the_spread_are_those_of_the_draws(sample, sar):
    """Two draws: the second is what their mean leaves."""
    sample("scene", "--input {} --samples 2", sar)
    first, mean, spread = (read(f"optical{part}.tif").astype(float) for part in ("", "_mean", "_spread"))
    inside = np.s_[:, 9:]
    apart = np.abs(mean - first)[inside].mean(0) * 2 / np.sqrt(2)
    assert np.abs(apart - spread[inside][0]).max() <= 2


def test_a_scene_of_one_tile_is_what_the_model_draws(sample, sar_world):
    sample("scene", "--input {} --strength 1 --prompt something", first_image(sar_world))
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), torch.device("cpu"), averaged=True)
    grey = torch.from_numpy(np.asarray(Image.open(first_image(sar_world)).convert("L")).copy()).float()
    request = Request((grey / 255 * 2 - 1)[None, None], ["something"], 1.5, 1.0)
    drawn = model.pipeline.draw(request, [0], model.pipeline.latents.walk("ddim", 3), seed=1)[0]
    assert np.abs(read("optical.tif") - ((drawn + 1) * 127.5).numpy()).max() <= 1


def test_strength_0_is_what_the_autoencoder_makes_of_the_sar_image(sample, sar_world):
    sample("scene", "--input {} --strength 0", first_image(sar_world))
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), torch.device("cpu"), averaged=True)
    grey = torch.from_numpy(np.asarray(Image.open(first_image(sar_world)).convert("L")).copy()).float()
    decoded = model.pipeline.latents.autoencoder.decode(model.pipeline.encode((grey / 255 * 2 - 1)[None, None]))[0]
    assert np.abs(read("optical.tif") - ((decoded.clamp(-1, 1) + 1) * 127.5).detach().numpy()).max() <= 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("--output optical.png", 2, "RSF-U006"),
        ("--tile 33", 2, "--tile 32"),
        ("--tile 32 --overlap 32", 2, "RSF-U005"),
        ("--output sar.tif", 2, "RSF-U005"),
        ("--bands 1,1", 3, "RSF-D003"),
        ("--radiometry db", 3, "RSF-D010"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_written(sample, sar, tmp_path, words, code, says):
    before = sar.read_bytes()
    result, _ = sample("scene", f"--input {{}} {words}", sar, code=code)
    assert says in json.dumps(result)
    assert [path.name for path in tmp_path.iterdir()] == ["sar.tif"] and sar.read_bytes() == before


def test_files_that_are_there_stay_unless_they_may_be_replaced(sample, sar, tmp_path):
    (tmp_path / "optical_mean.tif").write_bytes(b"mine")
    error, _ = sample("scene", "--input {} --samples 2", sar, code=2)
    assert "optical_mean.tif" in error["found"] and "--overwrite" in error["fix"] and "skip" not in error["fix"]
    assert (tmp_path / "optical_mean.tif").read_bytes() == b"mine"
    sample("scene", "--input {} --samples 2 --overwrite", sar)
    assert read("optical_mean.tif").shape == (3, 45, 75)


def test_without_a_place_it_is_said(sample, sar_world):
    said = sample("scene", "--input {}", first_image(sar_world))[1]
    assert "the result is not georeferenced: img_p1.png has no place on the earth" in said


def test_a_scene_of_one_colour_is_warned_of_and_one_without_numbers_not_written(sample, sar, tmp_path, monkeypatch):
    _, said = sample("scene", "--input {} --output fine.tif", sar)
    assert "one colour" not in said
    break_images(monkeypatch, 0.5)
    _, said = sample("scene", "--input {} --output flat.tif", sar)
    assert "1 image has one colour everywhere (flat.tif)" in said
    break_images(monkeypatch, torch.nan)
    error, _ = sample("scene", "--input {} --output broken.tif", sar, code=5)
    assert error["code"] == "RSF-T004" and not list(tmp_path.glob("broken*"))
    monkeypatch.setattr(ScenePainter, "walk", lambda self, drawing, *_, **more: torch.full_like(drawing.sar, torch.nan))
    error, _ = sample("scene", "--input {} --output broken.tif", sar, code=5)
    assert error["where"].startswith("draw 1 of") and not list(tmp_path.glob("broken*"))
