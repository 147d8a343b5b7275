from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.models.vector_vae import VectorVae
from rsforge.recipes.vae.reconstruct import measure_psnr
from tests.worlds.commands import rsforge

LINE = "vae reconstruct --checkpoint {} --data-dir {} --output {} --num-images 11 --device cpu --json"


def test_images_stand_above_their_reconstructions_eight_in_a_row(job, tmp_path, capsys):
    capsys.readouterr()
    assert rsforge(LINE, job.vae / "best_model.pt", job.tiles, tmp_path / "r.png") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 11
    with Image.open(tmp_path / "r.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (4 * 132 + 4, 8 * 132 + 26, 3)
    left = 26 + 3 * 132  # the first place of the second row without an image
    assert not pixels[2 * 132 + 4 : 2 * 132 + 132, left : left + 128].any() and pixels[4:132, 26:154].any()


def test_a_dry_run_writes_nothing(job, tmp_path, capsys):
    assert rsforge(f"{LINE} --dry-run", job.vae / "best_model.pt", job.tiles, tmp_path / "r.png") == 0
    assert list(tmp_path.iterdir()) == []


def test_reconstructions_without_numbers_are_refused(job, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(VectorVae, "forward", lambda self, x: x * float("nan"))
    assert rsforge(LINE, job.vae / "best_model.pt", job.tiles, tmp_path / "r.png") == 5
    assert "RSF-T004" in capsys.readouterr().err and not (tmp_path / "r.png").exists()


def test_pixels_without_data_do_not_count():
    images, made = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.2)
    made[0, :, :2] = 1
    valid = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    valid[0, :, :2] = valid[1] = False
    assert measure_psnr(made, images, valid) == pytest.approx(20, abs=1e-3)
    assert measure_psnr(made, images, torch.zeros_like(valid)) is None
