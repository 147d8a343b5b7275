"""``diffusion evaluate`` on a small trained model: figures again by hand, baselines, and what it says of draws."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from rsforge.data.prompts import DEFAULT_TEMPLATE
from rsforge.engine import checkpoint
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.diffusion.evaluate import JUDGED_DRAWS, JUDGED_STEPS, doubt_autoencoder
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.diffusion.sar_pipeline import Request
from rsforge.recipes.evaluation.linear_sar import linear_baselines
from rsforge.recipes.evaluation.table import table
from rsforge.settings.pairs import PairDataSettings
from tests.worlds.commands import rsforge

CPU = torch.device("cpu")
BASELINES = ["copy_sar", "mean_colour", "mean_image", "median_image", "linear_sar"]
LINE = (
    "diffusion evaluate --model-checkpoint {} --data-dir {} --device cpu --num-inference-steps 2 --guidance-scale 1 "
    "--strength 1 --resamples 100 --seed 3 "
)


@pytest.fixture
def measured(sar_world, empty_hub, capsys):
    """What a command line with ``more`` told, and what it said on the way."""

    def run(more="", *paths, code=0, model=None):
        capsys.readouterr()
        model = model or sar_world.model / "best_model.pt"
        assert rsforge(f"{LINE}{more} --json", model, sar_world.pairs, *paths) == code
        out, err = capsys.readouterr()
        return json.loads(out or err.splitlines()[-1]), err

    return run


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))


def test_a_training_is_judged_as_an_evaluation_that_draws_from_noise_alone(sar_world, empty_hub, capsys):
    model = sar_world.model / "best_model.pt"
    state = load_sar_model(ModelFiles(model), CPU, averaged=True).state["settings"]
    line = (
        "diffusion evaluate --model-checkpoint {} --data-dir {} --device cpu --strength 1 --guidance-scale 1 --json "
        f"--num-inference-steps {min(JUDGED_STEPS, state['denoiser']['timesteps'])} --samples {JUDGED_DRAWS} "
        f"--seed {state['run']['seed']}"
    )
    capsys.readouterr()
    assert rsforge(line, model, sar_world.pairs) == 0
    told = json.loads(capsys.readouterr().out)["figures"]["model"]["l1_of_mean"]
    judged = json.loads((sar_world.model / "judged.json").read_text())["judged"]
    assert judged["l1_of_mean"]["model"] == pytest.approx(told["mean"], abs=1e-5)
    assert set(judged["l1_of_mean"]) == {"model", "low", "high", *BASELINES}


def test_figures_are_those_of_the_first_draw_and_of_the_mean(measured, sar_world):
    told, _ = measured("--samples 3 --batch-size 4 --compare-published sar2opt")
    again, _ = measured("--samples 3 --batch-size 7")
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), CPU, averaged=True)
    data = PairDataSettings(data_dir=str(sar_world.pairs))
    pairs = open_subset(data, "auto", SilentConsole(), on_bad="error", state=model.state)
    assert (told["images"], told["side"]) == (len(pairs.samples), "val") and list(told["figures"])[1:] == BASELINES
    first, mean = [], []
    for index in range(len(pairs.samples)):
        sar, optical = pairs.samples[0, index]
        request = Request(sar.expand(3, -1, -1, -1), [DEFAULT_TEMPLATE.format(**pairs.metadata[index])] * 3)
        numbers = [3 * index + k for k in range(3)]
        drawn = model.pipeline.draw(request, numbers, model.pipeline.latents.walk("ddim", 2), seed=3)
        first.append((drawn[0] - optical).abs().mean())
        mean.append((drawn.mean(0) - optical).abs().mean())
    for result in (told, again):
        figures = result["figures"]["model"]
        assert figures["l1"]["mean"] == pytest.approx(float(torch.stack(first).mean()), rel=1e-3)
        assert figures["l1_of_mean"]["mean"] == pytest.approx(float(torch.stack(mean).mean()), rel=1e-3)
    assert "l1_of_mean" not in told["figures"]["linear_sar"] and told["samples"] == 3
    gain, over = told["gain"]["l1_of_mean"], told["gain"]["l1_of_mean"]["over"]
    own = told["figures"]["model"]["l1_of_mean"]["mean"]
    assert gain["mean"] == pytest.approx(told["figures"][over]["l1"]["mean"] - own, abs=1e-5)
    assert set(told["directions"]) == set(told["figures"]["model"])
    assert f"images {told['images']} here, 627 there" in told["published"]["protocol"]


def test_the_linear_model_is_that_of_the_checkpoint(measured, sar_world, tmp_path):
    told, _ = measured()
    state = checkpoint.load(sar_world.model / "best_model.pt")
    data = PairDataSettings(data_dir=str(sar_world.pairs))
    pairs = open_subset(data, "auto", SilentConsole(), on_bad="error", state=state)
    sar, optical = (torch.stack(images) for images in zip(*(pairs.samples[0, k] for k in range(4)), strict=True))
    (linear,), _ = linear_baselines(state["baselines"])
    error = float((linear.predict({"sar": sar})["image"] - optical).abs().mean())
    assert told["figures"]["linear_sar"]["l1"]["mean"] == pytest.approx(error, rel=1e-4)
    assert "12 training pairs" in told["baselines"]["linear_sar"] and "calibration" not in told
    del state["baselines"]
    checkpoint.save(tmp_path / "old.pt", state)
    paths = [state["partners"]["vae"]["path"], sar_world.clip]
    old, _ = measured("--vae-checkpoint {} --clip-checkpoint {}", *paths, model=tmp_path / "old.pt")
    assert (
        list(old["figures"]) == ["model", "copy_sar", "mean_colour"] and "linear model" in old["absent"]["linear_sar"]
    )
    assert old["figures"]["model"] == told["figures"]["model"]


def test_calibration_and_coverage_are_told_in_numbers_and_words(measured, tmp_path):
    told, _ = measured("--samples 2 --worlds 2 --world-samples 3 --output-dir {}", tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == told
    correlation = told["calibration"]["rank_correlation"]
    assert -1 <= correlation["low"] <= correlation["mean"] <= correlation["high"] <= 1
    assert told["calibration"]["spread_to_error"] > 0
    worlds = told["worlds"]
    assert (worlds["scenes"], worlds["truths"], worlds["samples"]) == (2, 4, 3)
    assert list(worlds["predictors"]) == ["draws", "mean_of_draws", "linear_sar"]
    for row in worlds["predictors"].values():
        assert 0 <= row["covered"]["mean"] <= 4 and row["l1_to_nearest"]["mean"] > 0
    text = table(told)
    for words in ("On 2 drawn scenes", "3 draws with the empty prompt", "one image covers one at most", "spread"):
        assert words in text


def test_without_the_empty_prompt_in_training_its_coverage_is_doubted(measured, sar_world, tmp_path):
    state = checkpoint.load(sar_world.model / "best_model.pt")
    state["conditioning"]["inputs"][0]["dropout"] = 0.0
    checkpoint.save(tmp_path / "always.pt", state)
    paths = [state["partners"]["vae"]["path"], sar_world.clip]
    more = "--worlds 1 --world-samples 2 --vae-checkpoint {} --clip-checkpoint {}"
    told, _ = measured(more, *paths, model=tmp_path / "always.pt")
    assert any("without the empty prompt" in doubt for doubt in told["doubts"])
    assert told["worlds"]["predictors"]["draws"]["covered"]["low"] is None


def test_worlds_ask_for_one_band(measured, sar_world, tmp_path):
    state = checkpoint.load(sar_world.model / "best_model.pt")
    state |= {"sar_channels": 2, "composite": "vv_vh_difference"}
    checkpoint.save(tmp_path / "two.pt", state)
    paths = [state["partners"]["vae"]["path"], sar_world.clip]
    _, said = measured("--worlds 1 --vae-checkpoint {} --clip-checkpoint {}", *paths, code=3, model=tmp_path / "two.pt")
    assert "RSF-D009" in said and "--worlds" in said


def test_a_dry_run_says_what_would_be_measured(measured, tmp_path):
    told, _ = measured("--samples 2 --worlds 3 --dry-run --output-dir {}", tmp_path / "out")
    assert told["plan"]["images"] == 4 and told["plan"]["steps"] == 2 and not (tmp_path / "out").exists()


def test_an_autoencoder_of_another_division_is_a_doubt(measured, sar_world):
    told, _ = measured()
    judged = json.loads((sar_world.model / "judged.json").read_text())["judged"]
    assert "doubt" not in judged and not any("autoencoder" in doubt for doubt in told["doubts"])
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), CPU, averaged=True)
    assert doubt_autoencoder(model) == []
    other = replace(model, vae=replace(model.vae, state=model.vae.state | {"images": {"split": "another"}}))
    assert "may have been trained on these" in doubt_autoencoder(other)[0]
