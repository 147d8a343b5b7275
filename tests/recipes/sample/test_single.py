"""``sample single``: one image and the record of how it was made."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.diffusion.sar_pipeline import Request
from tests.worlds.rasters import write
from tests.worlds.sar_diffusion import first_image, pixels

CPU = torch.device("cpu")


def test_single_writes_the_image_and_the_record_of_how_it_was_made(sample, sar_world, tmp_path):
    words = "--input-image {} --region tropical --season autumn"
    result, said = sample("single", words, first_image(sar_world))
    assert result["output"] == "generated_tropical_autumn.png" and "--clip-checkpoint" in said
    assert result["prompt"] == "Colorise image, Region: tropical, Season: fall"
    record = json.loads((tmp_path / "generated_tropical_autumn.json").read_text())
    assert record["seed"] == 1 and record["strength"] == 0.8 and record["weights"]
    assert pixels("generated_tropical_autumn.png").shape == (32, 32, 3)


def test_trap_09_pixels_are_those_that_were_drawn(sample, sar_world):
    words = "--input-image {} --strength 1 --prompt something --output x.png"
    sample("single", words, first_image(sar_world))
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), CPU, averaged=True)
    grey = torch.from_numpy(np.asarray(Image.open(first_image(sar_world)).convert("L")).copy()).float()
    request = Request((grey / 255 * 2 - 1)[None, None], ["something"], 1.5, 1.0)
    drawn = model.pipeline.draw(request, [0], model.pipeline.latents.walk("ddim", 3), seed=1)[0]
    expected = ((drawn + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.abs(pixels("x.png").astype(float) - expected).max() <= 1


@pytest.mark.parametrize(("strength", "steps"), [(0.01, 1), (0, 0), (1, 3)])
def test_trap_19_every_strength_has_its_steps(sample, sar_world, strength, steps):
    result, _ = sample("single", f"--input-image {{}} --strength {strength} --output x.png", first_image(sar_world))
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), CPU, averaged=True)
    assert result["strength"] == strength and pixels("x.png").shape == (32, 32, 3)
    if steps == 0:
        grey = torch.from_numpy(np.asarray(Image.open(first_image(sar_world)).convert("L")).copy()).float()
        decoded = model.pipeline.latents.autoencoder.decode(model.pipeline.encode((grey / 255 * 2 - 1)[None, None]))[0]
        expected = ((decoded.clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).numpy()
        assert np.abs(pixels("x.png").astype(float) - expected).max() <= 1


@pytest.mark.parametrize("beside", [False, True])
def test_the_sar_image_is_never_replaced(sample, sar_world, tmp_path, beside):
    own = tmp_path / "sar_mean.png"
    own.write_bytes(first_image(sar_world).read_bytes())
    target = tmp_path / ("sar.png" if beside else "sar_mean.png")
    error, _ = sample("single", "--input-image {} --samples 2 --output-path {}", own, target, code=2)
    assert error["code"] == "RSF-U005" and "would be replaced" in error["message"]
    assert own.read_bytes() == first_image(sar_world).read_bytes() and [own] == list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [0, np.nan])
def test_nothing_is_drawn_of_a_sar_image_without_data(sample, tmp_path, value):
    write(tmp_path / "sar.tif", np.full((40, 40, 1), value, np.float32), nodata=0)
    error, _ = sample("single", "--input-image sar.tif --radiometry db --clip -25 0 --output x.png", code=3)
    assert error["code"] == "RSF-D002" and "holds no data" in error["message"] and "--clip" in error["fix"]
    assert not (tmp_path / "x.png").exists()


def test_the_record_has_the_words_and_the_range_that_were_used(sample, sar_world, tmp_path):
    words = "--input-image {} --prompt something --radiometry uint8 --clip 0 100 --no-use-ema --output x.png"
    sample("single", words, first_image(sar_world))
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["prompt"] == "something" and not {"region", "season"} & record.keys()
    assert record["radiometry"] == {"unit": "uint8", "low": 0, "high": 100} and record["averaged"] is False


def test_gaps_stay_gaps_and_the_spread_is_in_grey_values(sample, sar_world, tmp_path):
    values = np.asarray(Image.open(first_image(sar_world)).convert("L"))[..., None].copy()
    values[values == 0] = 1
    values[:, :16] = 0
    write(tmp_path / "sar.tif", values, nodata=0)
    sample("single", "--input-image sar.tif --strength 1 --samples 3 --output x.png")
    for name in ("x.png", "x_mean.png", "x_spread.png"):
        assert not pixels(name)[:, :16].any() and pixels(name)[:, 16:].any(), name
    record, spread = json.loads((tmp_path / "x.json").read_text()), pixels("x_spread.png")[:, 16:, 0]
    assert record["valid_share"] == 0.5
    assert record["spread"] == pytest.approx(spread.mean(), abs=0.5)


def test_a_centre_square_is_named(sample, sar_world, tmp_path):
    Image.open(first_image(sar_world)).convert("L").crop((0, 0, 32, 24)).save(tmp_path / "sar.png")
    _, said = sample("single", "--input-image sar.png --output x.png")
    assert "the centre square of the 24 x 32 pixels" in said and "rsforge sample scene" in said
    _, said = sample("single", "--input-image {} --output x.png", first_image(sar_world))
    assert "centre square" not in said


def test_a_place_that_cannot_be_written_is_named_by_its_own_name(sample, sar_world, tmp_path):
    (tmp_path / "file").touch()
    error, _ = sample("single", "--input-image {} --output file/x.png", first_image(sar_world), code=6)
    assert error["code"] == "RSF-E008" and "--output-path" in error["fix"] and ".tmp-" not in str(error)


def test_braces_of_a_prompt_are_filled_or_refused(sample, sar_world):
    words = "--input-image {} --output x.png --season autumn --prompt "
    result, _ = sample("single", f"{words} a-{{season}}-scene", first_image(sar_world))
    assert result["prompt"] == "a-fall-scene"
    for prompt in ("{scale}", "{season"):
        error, _ = sample("single", words + prompt, first_image(sar_world), code=2)
        assert error["code"] == "RSF-U005" and error["where"] == "--prompt" and "{region}" in error["fix"]
