"""The figures of the demo, each beside its baseline."""

from __future__ import annotations

import math

import pytest
import torch

from rsforge.recipes.tools.demo_figures import denoising_figures, find_nearest, psnr_db, reconstruction_figures
from rsforge.recipes.tools.demo_report import format_share


def test_the_nearest_image_may_be_mirrored():
    images = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    distances, nearest = find_nearest(images[[3, 1]].flip(-1), images)
    torch.testing.assert_close(distances, torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(nearest, images[[3, 1]].flip(-1))
    distances, _ = find_nearest(images[:1] + 0.5, images)
    assert float(distances) == pytest.approx(0.25, abs=1e-5)


def test_baselines_on_toy_numbers():
    figures = reconstruction_figures({"mse": 0.004, "mean_image_mse": 0.04, "ssim": 0.9})
    assert figures["psnr_db"] == 30.0 and figures["mean_image_psnr_db"] == 20.0
    assert format_share(0.004, 0.04) == "10 %"
    epochs = [
        {"epoch": 1, "val/loss": 0.6, "val/linear": 0.8},
        {"epoch": 2, "val/loss": 0.3, "val/linear": 0.75},
        {"epoch": 3, "val/loss": 0.5, "val/linear": 0.7},
    ]
    assert denoising_figures(epochs) == {"held_out_loss": 0.3, "linear_loss": 0.75, "best_epoch": 2}
    assert psnr_db(0.0) == math.inf


def test_nearest_finds_copies_and_their_mirror_images():
    among = torch.rand(6, 3, 5, 5) * 2 - 1
    images = torch.stack([among[2], among[4].flip(-1), among[1] + 0.1])
    least, closest = find_nearest(images, among)
    torch.testing.assert_close(least, torch.tensor([0.0, 0.0, 0.01]), atol=1e-5, rtol=0)
    torch.testing.assert_close(closest, torch.stack([among[2], among[4].flip(-1), among[1]]))
