"""On real tiles a short run learns: held-out figures against trivial baselines, and against the linear ones."""

from __future__ import annotations

import json

import pytest

from rsforge.engine.journal import read
from rsforge.metrics.linear_channel import fit_channel
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import load_images
from rsforge.recipes.evaluation.baselines import fit_baselines
from rsforge.settings.base import RunSettings
from rsforge.settings.vae import VaeTileSettings
from tests.worlds.commands import rsforge
from tests.worlds.noisy_channel import send

TILES = "tiles/rsscn7_128px_derived"


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
    assert seed != 42 or best["val/mse"] < 0.0425


def test_the_denoiser_beats_the_normal_distribution_and_adds_to_the_mixture_it_starts_from(runs):
    """On images that chose nothing. It would equal the mixture if the network added nothing."""
    judged = json.loads((runs / "diffusion" / "judged.json").read_text())["judged"]
    assert judged["side"] == "test"
    for figure in ("loss", "loss_q1", "loss_q2", "loss_q3"):
        assert judged[figure]["model"] < judged[figure]["gaussian"], figure
    assert judged["loss"]["model"] < 0.985 * judged["loss"]["gaussian"]
    assert judged["loss"]["model"] < 0.999 * judged["loss"]["scale_mixture"]
    assert judged["loss_q4"]["model"] < 1.001 * judged["loss_q4"]["gaussian"]
