"""Timesteps as vectors."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.embedding import TimeEmbedding, sinusoidal


def test_each_pair_is_a_point_on_the_unit_circle_turning_at_its_own_frequency() -> None:
    t = torch.tensor([0, 1, 500, 999])
    cosines, sines = sinusoidal(t, 32).double().chunk(2, dim=1)
    turns = t[:, None] * 10_000 ** (-torch.arange(16, dtype=torch.float64) / 16)
    torch.testing.assert_close(cosines, turns.cos(), atol=1e-4, rtol=0)
    torch.testing.assert_close(sines, turns.sin(), atol=1e-4, rtol=0)


def test_the_reference_embeds_alike(diffusers) -> None:
    from diffusers.models.embeddings import get_timestep_embedding

    t = torch.arange(0, 1000, 37)
    reference = get_timestep_embedding(t, 320, flip_sin_to_cos=True, downscale_freq_shift=0)
    torch.testing.assert_close(sinusoidal(t, 320), reference, atol=1e-6, rtol=0)


@pytest.mark.parametrize("t", [3, torch.tensor(3), torch.tensor([3, 3])])
def test_a_scalar_is_the_timestep_of_every_item(t) -> None:
    embedding = TimeEmbedding(8, 16)
    both = embedding(torch.tensor([3, 3]), torch.zeros(2, 5))
    torch.testing.assert_close(embedding(t, torch.zeros(2, 5)), both)
    assert both.shape == (2, 16)


def test_the_embedding_takes_the_precision_of_the_input() -> None:
    embedding = TimeEmbedding(8, 16).to(torch.float64)
    assert embedding(5, torch.zeros(1, 4, dtype=torch.float64)).dtype == torch.float64
