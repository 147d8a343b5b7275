"""The image made small as a baseline: no more numbers than the latent has, and nothing lost of what is smooth."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.vae.thumbnail import thumbnail_baseline


@pytest.mark.parametrize(("latent", "side"), [((4, 8, 8), 9), ((16,), 2), ((2,), 1), ((4, 64, 64), 32)])
def test_it_has_as_many_numbers_as_the_latent_at_most(latent, side) -> None:
    baseline = thumbnail_baseline("target", latent)
    noise = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = baseline.predict({"target": noise})["image"]
    assert made.shape == noise.shape and float(made.abs().max()) <= 1
    rank = int(torch.linalg.matrix_rank(made[0, 0].double(), rtol=1e-5))
    assert rank == side


def test_one_colour_is_given_back() -> None:
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(thumbnail_baseline("target", (4, 4, 4)).predict({"target": flat})["image"], flat)
