"""The baseline that makes an image small and large again."""

from __future__ import annotations

import torch

from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.vae.thumbnail import thumbnail_baseline


def test_it_keeps_what_is_coarse_and_loses_what_is_fine():
    baseline = thumbnail_baseline("target", (4, 4, 4))
    assert "64 numbers" in baseline.meaning
    slope = torch.linspace(-0.8, 0.8, 16).expand(2, 3, 16, 16)
    chequered = torch.ones(2, 3, 16, 16)
    chequered[..., ::2, ::2] = chequered[..., 1::2, 1::2] = -1
    assert (baseline.predict({"target": slope})[IMAGE] - slope).abs().mean() < 0.05
    assert baseline.predict({"target": chequered})[IMAGE].abs().max() < 0.5


def test_an_image_of_fewer_numbers_than_the_latent_comes_back_whole():
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(thumbnail_baseline("target", (4, 64, 64)).predict({"target": x})[IMAGE], x)
