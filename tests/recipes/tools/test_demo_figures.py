"""The figures of the demo, each beside its baseline."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.tools.demo_figures import denoising_figures, find_nearest, reconstruction_figures


def test_the_nearest_image_may_be_mirrored():
    images = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    distances, nearest = find_nearest(images[[3, 1]].flip(-1), images)
    torch.testing.assert_close(distances, torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(nearest, images[[3, 1]].flip(-1))
    distances, _ = find_nearest(images[:1] + 0.5, images)
    assert float(distances) == pytest.approx(0.25, abs=1e-5)


def test_the_best_epoch_is_that_of_the_lowest_held_out_loss():
    epochs = [{"val/loss": loss, "val/linear": 1.0, "epoch": k} for k, loss in enumerate((0.9, 0.4, 0.6), 1)]
    assert denoising_figures(epochs) == {"held_out_loss": 0.4, "linear_loss": 1.0, "best_epoch": 2}


def test_errors_are_given_in_decibels_too():
    figures = reconstruction_figures({"mse": 0.04, "mean_image_mse": 0.4, "ssim": 0.9})
    assert figures["psnr_db"] == 20 and figures["mean_image_psnr_db"] == 10
