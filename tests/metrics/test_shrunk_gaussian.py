"""A full-covariance Gaussian of few samples: its shrinkage by the formulas, and its draws by their moments."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.shrunk_gaussian import ShrunkGaussian, fit_shrunk


def draw(gaussian: ShrunkGaussian, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.stack([gaussian.sample(generator) for _ in range(count)]).double()


def test_the_shrinkage_is_that_of_ledoit_and_wolf():
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 2, 3, 0.5, 4])
    centred = (x - x.mean(0)).double()
    s = centred.T @ centred / 7
    m = s.trace() / 5
    distance = (s - m * torch.eye(5)).square().sum() / 5
    error = sum((row.outer(row) - s).square().sum() for row in centred) / 7**2 / 5
    gaussian = fit_shrunk(x)
    assert gaussian.shrinkage == pytest.approx(float(min(error, distance) / distance), rel=1e-4)
    assert gaussian.variance == pytest.approx(float(m), rel=1e-5)


def test_draws_have_the_mean_and_the_full_covariance():
    generator = torch.Generator().manual_seed(1)
    mixing = torch.tensor([[2.0, 0, 0], [1.5, 0.5, 0], [0, 0, 1]])
    gaussian = fit_shrunk(torch.randn(400, 3, generator=generator) @ mixing.T + torch.tensor([1.0, -1, 5]))
    drawn, s = draw(gaussian, 8000), gaussian.centred.T @ gaussian.centred / 400
    wanted = (1 - gaussian.shrinkage) * s + gaussian.shrinkage * gaussian.variance * torch.eye(3)
    torch.testing.assert_close(drawn.mean(0).float(), gaussian.mean, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.T.cov().float(), wanted, atol=0.2, rtol=0.05)
    assert gaussian.shrinkage < 0.05


def test_few_samples_are_shrunk_to_full_rank_and_one_is_refused():
    few = fit_shrunk(torch.randn(3, 50, generator=torch.Generator().manual_seed(1)))
    assert few.shrinkage > 0.2 and int(torch.linalg.matrix_rank(draw(few, 60))) == 50
    alike = fit_shrunk(torch.ones(4, 6))
    assert torch.equal(alike.sample(torch.Generator()), torch.ones(6))
    with pytest.raises(ValueError, match="no covariance"):
        fit_shrunk(torch.zeros(1, 4))
