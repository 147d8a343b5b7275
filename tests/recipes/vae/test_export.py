"""An autoencoder for diffusers."""

from __future__ import annotations

import json

import pytest
import torch

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.recipes.vae.load import load_autoencoder
from tests.worlds.commands import rsforge

MAP = (
    "vae train --data-dir {} --output-dir {} --latent map --no-linear-path --channels 8,16 --layers-per-block 1 "
    "--latent-channels 4 --image-size 16 --no-perceptual --num-workers 0 --batch-size 8 --max-train-steps 1 "
    "--report-to none"
)
EXPORT = "vae export --checkpoint {} --output-dir {}"


@pytest.fixture
def trained(tmp_path):
    write_tiles(tmp_path / "tiles", 12, 16, seed=1)
    assert rsforge(MAP, tmp_path / "tiles", tmp_path / "run") == 0
    return tmp_path / "run" / "best_model.pt"


def test_diffusers_loads_the_folder_and_computes_the_same(trained, tmp_path):
    diffusers = pytest.importorskip("diffusers")
    assert rsforge(f"{EXPORT} --dry-run", trained, tmp_path / "out") == 0 and not (tmp_path / "out").exists()
    assert rsforge(EXPORT, trained, tmp_path / "out") == 0
    theirs, told = diffusers.AutoencoderKL.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    ours, restored = load_autoencoder(trained, torch.device("cpu"))
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        mu, _ = ours.encode(x)
        torch.testing.assert_close(theirs.encode(x).latent_dist.mean, mu, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(theirs.decode(mu).sample, ours.decode(mu), atol=1e-5, rtol=1e-5)
    std = restored.state["parts"]["own/latents"]["std"]
    assert theirs.config.scaling_factor == pytest.approx(float(1 / std.mean()))
    assert len(theirs.config.latents_std) == 4


def test_what_is_there_stays_and_a_vector_latent_is_refused(trained, job, tmp_path, capsys):
    assert rsforge(EXPORT, trained, tmp_path / "out") == 0
    assert rsforge(EXPORT, trained, tmp_path / "out") == 2 and "--overwrite" in capsys.readouterr().err
    assert rsforge(f"{EXPORT} --overwrite", trained, tmp_path / "out") == 0
    assert rsforge(f"{EXPORT} --json", job.vae / "best_model.pt", tmp_path / "other") == 4
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["code"] == "RSF-C004"
    assert not (tmp_path / "other").exists()


def test_a_linear_path_which_diffusers_does_not_know_is_refused_with_the_way_out(trained, tmp_path, capsys):
    more = MAP.replace("--no-linear-path", "--linear-path")
    assert rsforge(more, tmp_path / "tiles", tmp_path / "with") == 0
    assert rsforge(EXPORT, tmp_path / "with" / "best_model.pt", tmp_path / "other") == 4
    assert "--no-linear-path" in capsys.readouterr().err and not (tmp_path / "other").exists()
