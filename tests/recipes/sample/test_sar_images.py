"""``sample single``, ``batch`` and ``dataset``: optical images of SAR images, their names, and the record of them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.engine import checkpoint
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.diffusion.sar_pipeline import Request
from tests.worlds.commands import rsforge
from tests.worlds.sar_diffusion import write_text_encoder

CPU = torch.device("cpu")
MODEL = "--model-checkpoint {} --device cpu --num-inference-steps 3 --guidance-scale 1.5 --seed 1 "


def first_image(world):
    return world.pairs / "r_000" / "s1_000" / "img_p1.png"


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture
def sample(sar_world, tmp_path, monkeypatch, capsys):
    """Runs ``sample`` with the trained model; the JSON object that it ends with and what it says on the way."""
    monkeypatch.chdir(tmp_path)

    def call(command, words, *paths, code=0):
        line = f"sample {command} {MODEL} {words} --json"
        assert rsforge(line, sar_world.model / "best_model.pt", *paths) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else json.loads(err.splitlines()[-1]), err

    return call


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
    result, said = sample("batch", "--input-dir in --output-dir out", code=3)
    assert result["images"] == 1 and [one["name"] for one in result["left_out"]] == ["a.png"]
    assert "RSF-D002" in said and (tmp_path / "out" / "b_temperate_summer_generated.png").is_file()


def test_dataset_draws_for_held_out_pairs_and_measures_them(sample, sar_world, tmp_path):
    result, _ = sample("dataset", "--dataset-path {} --output-dir out --num-samples 3 --samples 2", sar_world.pairs)
    assert result["side"] == "val" and result["images"] == 3
    assert set(result["figures"]) >= {"l1", "psnr_db", "ssim"}
    names = sorted(path.name for path in (tmp_path / "out").glob("sample_*_generated.png"))
    assert [name[:11] for name in names] == ["sample_000_", "sample_001_", "sample_002_"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    first = manifest["images"][0]
    assert {"l1", "spread", "mean_file", "spread_file"} <= set(first)
    assert (tmp_path / "out" / first["mean_file"]).is_file() and (tmp_path / "out" / "grid.png").is_file()


def test_an_image_depends_on_its_place_and_not_on_the_batch(sample, sar_world, tmp_path):
    for size in (1, 4):
        words = f"--dataset-path {{}} --output-dir out{size} --num-samples 2 --samples 3 --batch-size {size}"
        sample("dataset", words, sar_world.pairs)
    for path in (tmp_path / "out1").glob("*generated*.png"):
        difference = pixels(path).astype(int) - pixels(tmp_path / "out4" / path.name)
        assert np.abs(difference).max() <= 1


def test_partners_of_other_weights_are_refused(sample, sar_world, tmp_path):
    write_text_encoder(tmp_path / "other.pt", seed=1)
    words = "--input-image {} --clip-checkpoint other.pt"
    error, _ = sample("single", words, first_image(sar_world), code=4)
    assert error["code"] == "RSF-C006" and "text encoder" in error["message"]
    state = checkpoint.load(sar_world.model / "autoencoder" / "best_model.pt")
    state["nets"]["autoencoder"]["conv_in.weight" if "conv_in.weight" in state["nets"]["autoencoder"] else next(
        iter(state["nets"]["autoencoder"]))].add_(1)  # fmt: skip
    checkpoint.save(tmp_path / "vae.pt", state)
    error, _ = sample("single", "--input-image {} --vae vae.pt", first_image(sar_world), code=4)
    assert error["code"] == "RSF-C006" and "autoencoder" in error["message"]


def test_trap_05_guidance_is_refused_where_no_prompt_was_left_out(sample, sar_world, tmp_path, capsys):
    state = checkpoint.load(sar_world.model / "best_model.pt")
    state["conditioning"]["inputs"][0]["dropout"] = 0.0
    shutil.copytree(sar_world.model / "autoencoder", tmp_path / "model" / "autoencoder")
    checkpoint.save(tmp_path / "model" / "best_model.pt", state)
    line = "sample single --model-checkpoint {} --input-image {} --guidance-scale 3 --device cpu"
    assert rsforge(line, tmp_path / "model" / "best_model.pt", first_image(sar_world)) == 2
    assert "--guidance-scale 1" in capsys.readouterr().err


def test_a_plan_draws_nothing(sample, sar_world, tmp_path):
    for command, words in (
        ("single", "--input-image {}"), ("batch", "--input-dir {}"), ("dataset", "--dataset-path {}"),
    ):  # fmt: skip
        place = {"single": first_image(sar_world), "batch": first_image(sar_world).parent, "dataset": sar_world.pairs}
        result, _ = sample(command, f"{words} --dry-run", place[command])
        assert result["dry_run"] and result["plan"]["steps"] == 3
    assert not list(tmp_path.iterdir())
