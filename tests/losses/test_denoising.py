"""The denoiser's loss, per sample."""

from __future__ import annotations

import pytest
import torch

from rsforge.losses.denoising import variance_of_mean, weighted_mse


@pytest.mark.parametrize("shape", [(3, 2, 4, 4), (3, 7)])
def test_it_is_each_samples_own_mean(shape) -> None:
    output, target = torch.randn(2, *shape)
    per_sample = weighted_mse(output, target)
    for i in range(3):
        torch.testing.assert_close(per_sample[i], (output[i] - target[i]).square().mean())


def test_weights_multiply_without_widening() -> None:
    output, target = torch.randn(2, 3, 4)
    weight = torch.tensor([0.0, 1.0, 2.5], dtype=torch.float64)
    weighted = weighted_mse(output, target, weight)
    torch.testing.assert_close(weighted, weighted_mse(output, target) * weight.float())
    assert weighted.dtype == torch.float32


def test_half_precision_is_widened_before_it_is_squared() -> None:
    output = torch.full((1, 4), 300.0, dtype=torch.float16)  # its square overflows float16
    assert weighted_mse(output, torch.zeros_like(output)).item() == 90_000


def test_a_weight_of_zero_stops_the_gradient() -> None:
    output = torch.ones(2, 3, requires_grad=True)
    weighted_mse(output, torch.zeros(2, 3), torch.tensor([0.0, 1.0])).sum().backward()
    torch.testing.assert_close(output.grad, torch.tensor([[0.0] * 3, [2 / 3] * 3]))


def test_the_variance_of_a_mean_over_strata_is_that_of_many_repetitions() -> None:
    """Strata of different means and spreads; their differences are no error of the mean."""
    g = torch.Generator().manual_seed(0)
    centre, spread = torch.tensor([0.0, 5.0, -3.0]), torch.tensor([0.1, 1.0, 2.0])
    draws = centre.repeat_interleave(2).view(6, 1) + spread.repeat_interleave(2).view(6, 1) * torch.randn(
        6, 20_000, generator=g
    )
    torch.testing.assert_close(variance_of_mean(draws).mean(), draws.mean(0).var(), atol=0, rtol=0.03)
