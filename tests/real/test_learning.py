"""On real tiles a short run learns: held-out figures against trivial baselines, and against the linear ones."""

from __future__ import annotations

import json
import os

import pytest

from rsforge.engine.journal import read
from rsforge.metrics.linear_channel import fit_channel
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import load_images
from rsforge.recipes.evaluation.baselines import fit_baselines
from rsforge.settings.base import RunSettings
from rsforge.settings.vae import VaeTileSettings
from tests.learning import real_pairs
from tests.learning.map_autoencoder import OPTIONS, STEPS
from tests.worlds.commands import rsforge
from tests.worlds.noisy_channel import send

TILES = "tiles/rsscn7_128px_derived"
LONG = pytest.mark.skipif(
    "REAL_DATA_FOR_TESTS" not in os.environ, reason="minutes of training; name the data in REAL_DATA_FOR_TESTS"
)


@pytest.fixture(scope="module")
def runs(real_data, tmp_path_factory):
    base, tiles = tmp_path_factory.mktemp("learning"), real_data / TILES
    line = "vae train --config vae-tiny --data-dir {} --output-dir {} --epochs 8 --lr 1e-3 --report-to none"
    assert rsforge(line, tiles, base / "vae") == 0
    line = "diffusion train --config diffusion-tiny --vae {} --data-dir {} --output-dir {} --epochs 40 --lr 1e-3"
    assert rsforge(line, base / "vae" / "best_model.pt", tiles, base / "diffusion") == 0
    return base


def closed(folder):
    return [row for row in read(folder / "journal.jsonl") if row.get("closed")]


def test_the_autoencoder_beats_the_mean_image(runs, real_data, capsys):
    line = "vae evaluate --checkpoint {} --data-dir {} --json -q"
    assert rsforge(line, runs / "vae" / "best_model.pt", real_data / TILES) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["figures"]["model"]["mse"]["mean"] < 0.4 * told["mean_image_mse"]


@pytest.mark.parametrize("seed", [42, 0, 1])
def test_the_autoencoder_beats_the_linear_channel_of_its_numbers_and_nats(real_data, tmp_path, seed):
    """Noisy draws of both; the channel is of the training images and their mirrored views. Each seed divides anew."""
    line = f"vae train --config vae-tiny --data-dir {{}} --output-dir {{}} --epochs 2 --lr 3e-4 --seed {seed}"
    assert rsforge(f"{line} --test-fraction 0 --report-to none", real_data / TILES, tmp_path) == 0
    best = min(closed(tmp_path), key=lambda row: row["val/neg_elbo"])
    images = load_images(
        VaeTileSettings(data_dir=str(real_data / TILES), image_size=32, test_fraction=0.0),
        RunSettings(output_dir=tmp_path, seed=seed, num_workers=0),
        SilentConsole(),
    )
    fitted = fit_baselines(images.plain, latent_shape=(16,), mirrored=True)["pca"]
    x = stack_samples(images.held_out, range(len(images.held_out)))
    channel = fit_channel(fitted["mean"], fitted["components"], fitted["variances"], 25.0)
    assert (
        best["val/mse"] < float((send(channel, fitted["variances"], x) - x).square().mean()) and best["val/kl"] < 27.5
    )
    assert best["val/mse"] < 0.0425


@LONG
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_autoencoder_of_maps_beats_components_of_patches_and_a_thumbnail(real_data, tmp_path, capsys, seed):
    """On images that chose nothing, as README states it; components had 26.4 dB on another division."""
    line = f"vae train --data-dir {{}} --output-dir {{}} --seed {seed} --max-train-steps {STEPS} {OPTIONS}"
    assert rsforge(line, real_data / TILES, tmp_path / "map") == 0
    capsys.readouterr()
    line = "vae evaluate --checkpoint {} --data-dir {} --output-dir {} --side test --json -q"
    assert rsforge(line, tmp_path / "map" / "best_model.pt", real_data / TILES, tmp_path / "evaluation") == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    psnr_db = {name: figures[name]["psnr_db"]["mean"] for name in ("model", "pca", "thumbnail")}
    assert psnr_db["model"] > max(26.4, psnr_db["pca"], psnr_db["thumbnail"])


@LONG
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_translator_beats_the_linear_model_on_other_blocks_of_its_scenes(real_data, tmp_path, seed):
    """Beyond chance, as README states it; the linear model is the one that its training fitted."""
    pairs = real_pairs.take_blocks(real_data / "sar_optical", tmp_path, seed)
    measured = real_pairs.measure_cyclegan(pairs, tmp_path / "cyclegan")
    figures = measured["figures"]
    assert measured["gain"]["l1"]["low"] > 0 and figures["model"]["l1"]["mean"] < figures["linear_sar"]["l1"]["mean"]


def test_the_denoiser_beats_the_normal_distribution_and_adds_to_the_mixture_it_starts_from(runs):
    """On images that chose nothing. It would equal the mixture if the network added nothing."""
    judged = json.loads((runs / "diffusion" / "judged.json").read_text())["judged"]
    assert judged["side"] == "test"
    for figure in ("loss", "loss_q1", "loss_q2", "loss_q3"):
        assert judged[figure]["model"] < judged[figure]["gaussian"], figure
    assert judged["loss"]["model"] < 0.985 * judged["loss"]["gaussian"]
    assert judged["loss"]["model"] < 0.999 * judged["loss"]["scale_mixture"]
    assert judged["loss_q4"]["model"] < 1.001 * judged["loss_q4"]["gaussian"]
