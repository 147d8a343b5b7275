"""The bound against torch.distributions, and the behaviour of each way to hold the KL."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from rsforge.losses.elbo import (
    LEAST_MSE,
    beta_at,
    capacity_penalty,
    free_bits,
    gaussian_nll_per_dim,
    kl_to_standard_normal,
    negative_elbo,
    sample_latent,
)


def posterior(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    mu = torch.randn(shape, generator=g, dtype=torch.float64)
    return mu.requires_grad_(), (torch.rand(shape, generator=g, dtype=torch.float64) * 4 - 3).requires_grad_()


@pytest.mark.parametrize("shape", [(5, 7), (2, 4, 3, 3)])
def test_kl_is_that_of_torch_distributions(shape) -> None:
    mu, logvar = posterior(*shape)
    reference = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), reference)


def test_kl_of_the_prior_is_zero_and_small_or_half_values_survive() -> None:
    assert kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]
    tiny = torch.full((1, 1), 1e-3)
    assert kl_to_standard_normal(torch.zeros(1, 1), tiny).item() == pytest.approx(2.5e-7, rel=0.01)
    large = kl_to_standard_normal(torch.zeros(1, 1).half(), torch.full((1, 1), 12.0).half())
    assert large.dtype == torch.float32 and large.isfinite().all()


def test_latents_are_drawn_from_the_posterior() -> None:
    torch.manual_seed(0)
    mu, logvar = torch.tensor([3.0, -1.0]), torch.tensor([-2.0, 1.0])
    drawn = sample_latent(mu.expand(50_000, 2), logvar.expand(50_000, 2))
    torch.testing.assert_close(drawn.mean(0), mu, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.std(0), (logvar / 2).exp(), atol=0, rtol=0.02)


def test_beta_rises_linearly_and_stays() -> None:
    assert [beta_at(e, 2.0, 4) for e in (0, 1, 2, 4, 5, 100)] == [0, 0.5, 1, 2, 2, 2]
    assert [beta_at(e, 2.0, 0) for e in (0, 7)] == [2, 2]


def test_capacity_without_target_is_beta_kl() -> None:
    kl = torch.tensor([1.0, 3.0], requires_grad=True)
    loss = capacity_penalty(kl, 0.5, 0.0)
    loss.backward()
    assert loss.item() == 1.0 and kl.grad.tolist() == [0.25, 0.25]


@pytest.mark.parametrize(("target", "loss", "slope"), [(5.0, 1.5, -0.25), (1.0, 0.5, 0.25)])
def test_capacity_pulls_the_mean_kl_to_its_target(target, loss, slope) -> None:
    kl = torch.tensor([1.0, 3.0], requires_grad=True)
    penalty = capacity_penalty(kl, 0.5, target)
    penalty.backward()
    assert penalty.item() == loss and kl.grad.tolist() == [slope, slope]


def test_descent_on_the_capacity_penalty_arrives_at_the_target() -> None:
    mu, logvar = posterior(16, 8)
    optimizer = torch.optim.Adam([mu, logvar], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        capacity_penalty(kl_to_standard_normal(mu, logvar), 1.0, 25.0).backward()
        optimizer.step()
    assert kl_to_standard_normal(mu, logvar).mean().item() == pytest.approx(25, abs=1.5)


def test_free_bits_floor_each_dimension_of_the_batch_mean() -> None:
    # KL is mu^2 / 2 here: dimension 0 has 0 and 4 nats (mean 2), dimension 1 has 0.125 twice.
    mu = torch.tensor([[0.0, 0.5], [8**0.5, 0.5]], requires_grad=True)
    loss = free_bits(mu, torch.zeros(2, 2), target=2.0)
    loss.backward()
    assert loss.item() == pytest.approx(2 + 1)
    torch.testing.assert_close(mu.grad, torch.tensor([[0.0, 0.0], [8**0.5 / 2, 0.0]]))


def test_free_bits_without_target_are_the_mean_kl_and_never_below_the_target() -> None:
    mu, logvar = posterior(6, 3, 2, 2)
    mean = kl_to_standard_normal(mu, logvar).mean()
    torch.testing.assert_close(free_bits(mu, logvar, 0.0), mean)
    assert free_bits(mu, logvar, 10.0) >= max(mean.item(), 10.0)
    assert free_bits(torch.zeros(2, 5), torch.zeros(2, 5), 25.0).item() == pytest.approx(25)


def test_gaussian_nll_is_that_of_the_best_sigma() -> None:
    g = torch.Generator().manual_seed(0)
    error = torch.randn(4, 1000, generator=g, dtype=torch.float64) * 0.3
    mse = error.square().mean(1)

    def nll(sigma):
        return -Normal(0.0, sigma).log_prob(error).mean(1)

    best = gaussian_nll_per_dim(mse)
    torch.testing.assert_close(best, nll(mse.sqrt()[:, None]))
    for factor in (0.9, 1.1):
        assert (nll(factor * mse.sqrt()[:, None]) > best).all()


def test_a_perfect_reconstruction_is_finite() -> None:
    expected = 0.5 * (math.log(2 * math.pi * LEAST_MSE) + 1)
    assert gaussian_nll_per_dim(torch.zeros(1)).item() == pytest.approx(expected)


def test_negative_elbo_counts_both_halves_per_dimension() -> None:
    mse, kl = torch.tensor([0.1, 0.2]), torch.tensor([30.0, 60.0])
    total = negative_elbo(mse, kl, num_pixels=300)
    torch.testing.assert_close(total - gaussian_nll_per_dim(mse), torch.tensor([0.1, 0.2]))


def test_negative_elbo_bounds_the_true_likelihood_of_linear_gaussian_data() -> None:
    # x = z + sigma noise with its exact posterior: the bound, averaged over data, is the entropy of x.
    sigma2, n = 0.25, 200_000
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, generator=g, dtype=torch.float64) * (1 + sigma2) ** 0.5
    mu, var = x / (1 + sigma2), torch.tensor(sigma2 / (1 + sigma2), dtype=torch.float64)
    kl = kl_to_standard_normal(mu[:, None], var.log().expand(n, 1)).mean()
    mse = ((x - mu).square() + var).mean()
    entropy = 0.5 * (math.log(2 * math.pi * (1 + sigma2)) + 1)
    assert negative_elbo(mse, kl, 1).item() == pytest.approx(entropy, abs=0.01)
