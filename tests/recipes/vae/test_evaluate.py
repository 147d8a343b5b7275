"""Reconstructions measured: figures of images and network, baselines of the training, files as of every evaluation."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.engine import checkpoint
from rsforge.losses.elbo import kl_to_standard_normal, negative_elbo
from rsforge.metrics.image import active_units, psnr, ssim
from rsforge.recipes.evaluation.table import table
from rsforge.recipes.vae.load import load_autoencoder
from tests.worlds.commands import VAE, rsforge

LINE = "vae evaluate --checkpoint {} --data-dir {} --device cpu --batch-size 8 --resamples 100"
LANDED = {
    "images", "psnr_db", "ssim", "mse", "kl_nats", "neg_elbo", "mean_image_mse", "active_units", "latent_numbers",
    "total_correlation_nats",
}  # fmt: skip


@pytest.fixture(autouse=True)
def empty_hub(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))


@pytest.fixture
def measured(job, capsys):
    def run(more: str = "", *paths: object, model: Path = job.vae / "best_model.pt", data: Path = job.tiles) -> dict:
        capsys.readouterr()
        assert rsforge(f"{LINE} {more} --json", model, data, *paths) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="module")
def before(job, tmp_path_factory) -> Path:
    """The checkpoint as it was before baselines were stored."""
    state = checkpoint.load(job.vae / "best_model.pt")
    del state["baselines"]
    path = tmp_path_factory.mktemp("before") / "best_model.pt"
    checkpoint.save(path, state)
    return path


def images(folder: Path) -> torch.Tensor:
    samples = TileDataset(scan(folder).tiles, image_size=16, seed=0, flip=0.0)
    return torch.stack([samples[0, k] for k in range(len(samples))])


def test_figures_are_those_of_the_images_and_the_network(job, measured):
    told = measured("--side all")
    x = images(job.tiles)
    network, _ = load_autoencoder(job.vae / "best_model.pt", torch.device("cpu"))
    with torch.no_grad():
        mu, logvar = network.encode(x)
        y = network.decode(mu).clamp(-1, 1)
    mse, kl = (y - x).square().mean((1, 2, 3)), kl_to_standard_normal(mu, logvar)
    expected = {
        "psnr_db": psnr(y, x), "ssim": ssim(y, x), "mse": mse, "kl_nats": kl,
        "neg_elbo": negative_elbo(mse, kl, x[0].numel()),
    }  # fmt: skip
    for name, values in expected.items():
        assert told[name] == pytest.approx(float(values.mean()), rel=1e-4)
        assert told["figures"]["model"][name]["mean"] == pytest.approx(told[name], rel=1e-4)
    assert told.keys() >= LANDED and told["images"] == 30 and told["latent_numbers"] == 8
    assert told["active_units"] == active_units(mu) and told["units"]["kl_nats"] == "nats"
    assert told["total_correlation_nats"] is None
    assert told["absent"]["total_correlation_nats"] == "30 images; 32 are the least for 8 numbers"


def test_baselines_are_those_of_the_training_images(job, measured):
    told, stored = measured("--side all"), checkpoint.load(job.vae / "best_model.pt")["baselines"]
    assert list(told["figures"]) == [
        "model", "mean_colour", "mean_image", "median_image", "pca", "linear_channel", "thumbnail",
    ]  # fmt: skip
    assert (stored["images"], stored["of"], len(stored["pca"]["components"])) == (27, 27, 8)
    x = images(job.tiles)
    constant = (x - stored["mean_image"]).square().mean()
    assert told["mean_image_mse"] == pytest.approx(float(constant), rel=1e-4)
    assert told["figures"]["mean_image"]["mse"]["mean"] == pytest.approx(float(constant), rel=1e-4)
    assert "27 training images" in told["baselines"]["pca"] and "in as many numbers" in told["baselines"]["pca"]
    assert "kl_nats" not in told["figures"]["pca"] and "kl_nats" not in told["gain"]
    assert told["gain"]["mse"]["over"] in told["baselines"]
    lines = {line.split("  ")[0]: line for line in table(told).splitlines() if line}
    assert lines["pca"].split()[-1] == "-" and "Higher is better: psnr_db, ssim, chroma_share." in table(told)


def test_what_was_held_out_is_measured_and_that_it_chose_the_epoch_is_said(measured):
    told = measured()
    assert (told["side"], told["images"], told["trained_on"], told["chosen_on"]) == ("val", 3, 0, "val")
    assert any("chosen on these images (val)" in doubt for doubt in told["doubts"]) and told["side_reason"]
    whole = measured("--side all")
    assert not any("chosen on these" in doubt for doubt in whole["doubts"])
    assert "27 of these 30 images were trained on" in whole["doubts"] and whole["side_reason"] == ""


def test_of_a_checkpoint_of_before_the_measured_images_are_the_baseline_and_it_is_said(job, before, capsys):
    assert rsforge(f"{LINE} --side all --json", before, job.tiles) == 0
    said = capsys.readouterr()
    told, x = json.loads(said.out), images(job.tiles)
    assert list(told["figures"]) == ["model", "mean_image", "thumbnail"]
    expected = (x - x.mean(0)).square().mean()
    assert told["mean_image_mse"] == pytest.approx(float(expected), rel=1e-4)
    assert "that of the measured images" in told["baselines"]["mean_image"]
    assert "holds no baselines of its training images" in said.err and told["doubts"][0] in said.err


def test_files_hold_what_was_told(measured, tmp_path):
    told = measured("--side all --output-dir {}", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == told
    rows = list(csv.DictReader((tmp_path / "out" / "per_image.csv").read_text().splitlines()))
    assert len(rows) == 30 and list(rows[0])[2:] == [
        "mse",
        "psnr_db",
        "ssim",
        "lpips",
        "chroma_share",
        "kl_nats",
        "neg_elbo",
    ]
    assert (tmp_path / "out" / "examples.png").is_file() and list(told["examples"]) == ["best", "median", "worst"]


def test_a_dry_run_measures_and_writes_nothing(measured, tmp_path):
    told = measured("--dry-run --output-dir {}", tmp_path / "out")
    assert told["dry_run"] and told["plan"]["images"] == 3 and "figures" not in told["plan"]
    assert not (tmp_path / "out").exists()


def test_people_get_a_table(job, capsys):
    capsys.readouterr()
    assert rsforge(LINE, job.vae / "best_model.pt", job.tiles) == 0
    said = capsys.readouterr().out
    assert "mean_image is the mean of the 27 training images at every pixel." in said and "chosen_on   val" in said


def test_the_components_of_a_map_are_of_patches(job, tmp_path, measured):
    line = (
        "vae train --data-dir {} --output-dir {} --latent map --channels 8,16 --latent-channels 3 --layers-per-block 1 "
        "--image-size 16 --no-perceptual --epochs 1 --num-workers 0 --report-to none --batch-size 8"
    )
    assert rsforge(line, job.tiles, tmp_path / "vae") == 0
    stored = checkpoint.load(tmp_path / "vae" / "latest_model.pt")["baselines"]["pca"]
    assert stored["patch"] == 2 and stored["components"].shape == (3, 12)
    told = measured("--image-size 24", model=tmp_path / "vae" / "latest_model.pt")
    assert "patches of 2 x 2 pixels" in told["baselines"]["pca"] and told["image_size"] == 24
    assert told["figures"]["pca"]["mse"]["mean"] < told["figures"]["mean_image"]["mse"]["mean"]


def test_a_run_that_goes_on_keeps_its_baselines(job, tmp_path):
    line = f"vae train --data-dir {{}} --output-dir {{}} --kl-warmup 0 {VAE}"
    assert rsforge(f"{line} --epochs 1", job.tiles, tmp_path) == 0
    first = checkpoint.load(tmp_path / "latest_model.pt")["baselines"]
    assert rsforge(f"{line} --epochs 2 --resume", job.tiles, tmp_path) == 0
    second = checkpoint.load(tmp_path / "latest_model.pt")["baselines"]
    torch.testing.assert_close(second, first, rtol=0, atol=0)


def test_an_evaluation_below_its_baseline_is_written_and_ends_with_5(job, tmp_path, capsys):
    line = "vae evaluate --checkpoint {} --data-dir {} --resamples 100 --side all --output-dir {} "
    where = (job.vae / "best_model.pt", job.tiles, tmp_path / "out")
    capsys.readouterr()
    assert rsforge(line + "--fail-below-baseline", *where) == 5
    told = capsys.readouterr()
    sentence = "is not better than its baseline linear_channel (mse"
    assert told.out.rstrip().splitlines()[-1].startswith(f"The model {sentence}")
    assert "error[RSF-T005]" in told.err and sentence in told.err and str(tmp_path / "out") in told.err
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert not written["verdicts"][0]["better"] and written["side"] == "all"
    assert rsforge(line + "--overwrite --json", *where) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == written["verdicts"]


def test_published_figures_of_autoencoders_are_compared_by_the_protocol(measured) -> None:
    found = measured("--compare-published latent-diffusion-autoencoders")["published"]
    assert any(reason.endswith("here, 50000 there") for reason in found["protocol"])
    assert found["not_comparable"]["psnr_db"][0] == "the range of the values is not stated there"
