"""How much of what a network adds is kept: all of what holds on held-out latents, nothing of what does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rsforge.engine.distributed import SingleProcess
from rsforge.models.gaussian_path import GAINS, GaussianPath
from rsforge.models.latent_mlp import LatentMlp
from rsforge.noise.schedules import table_of
from rsforge.tasks.diffusion import DiffusionTask
from rsforge.tasks.remainder_gain import RemainderGain, fit_gain

COSINE = {"kind": "cosine", "timesteps": 40}
DIM = 32


class Added(torch.nn.Module):
    """Adds a function of the noisy latent and the timestep."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x_t: Tensor, t: Tensor, *inputs: Tensor | None) -> Tensor:
        return self.function(x_t, t)


def fit(function, *, count: int = 64, draws: int = 8, std: float = 1.0) -> list[float]:
    """The gains of a network that adds ``function(x_t, t)``, for latents N(0, std^2) taken for N(0, 1)."""
    mlp = LatentMlp(latent_dim=DIM, hidden=(16,), time_dim=8).architecture
    path = GaussianPath(network=mlp, prediction="x_0", schedule=COSINE, latent_shape=(DIM,), directions=0)
    path.network = Added(function)
    one = torch.ones(DIM)
    task = DiffusionTask(
        path, alphas_cumprod=table_of(COSINE), mean=0 * one, std=one, prediction="x_0", validation_draws=draws
    )
    torch.manual_seed(0)
    latents = std * torch.randn(count, DIM)
    figures = RemainderGain(task, path).validation()
    for some in torch.stack([latents, torch.full_like(latents, -30.0)], 1).split(10):
        figures.update({"latents": some}, len(some))
    means = figures.compute(SingleProcess())
    return [means[str(k)] for k in range(GAINS)]


def correct(x_t: Tensor, t: Tensor, std: float = 0.5) -> Tensor:
    """What is left of the mean of N(0, std^2) over that of N(0, 1)."""
    signal = table_of(COSINE)[t].float()[:, None]
    return (signal.sqrt() * std**2 / (signal * std**2 + 1 - signal) - signal.sqrt()) * x_t


def test_what_is_right_is_kept_and_what_is_twice_as_much_is_halved() -> None:
    whole = fit(correct, std=0.5)
    assert whole == pytest.approx([1.0] * GAINS, abs=0.15)
    assert fit(lambda x_t, t: 2 * correct(x_t, t), std=0.5) == pytest.approx([0.5 * gain for gain in whole], abs=0.08)
    assert fit(lambda x_t, t: 0.5 * correct(x_t, t), std=0.5)[1:3] == pytest.approx([1.0, 1.0], abs=0.05)


def test_what_is_wrong_or_says_nothing_is_left_out() -> None:
    assert fit(lambda x_t, t: -correct(x_t, t), std=0.5) == [0.0] * GAINS
    assert fit(lambda x_t, t: torch.zeros_like(x_t)) == [0.0] * GAINS
    assert max(fit(lambda x_t, t: torch.randn_like(x_t))) < 0.05


def test_each_part_of_the_timesteps_has_its_own() -> None:
    gains = fit(lambda x_t, t: torch.where(t[:, None] < 20, 1.0, -1.0) * correct(x_t, t), std=0.5)
    assert min(gains[:2]) > 0.8 and gains[2:] == [0.0, 0.0]
    assert len(fit(correct, std=0.5, draws=1)) == GAINS


@pytest.mark.parametrize(
    ("moments", "count", "gain"),
    [
        ([0.5, 1.0, 0.25, 0.5, 1.0], 100, 0.5),  # every latent says the same
        ([0.5, 1.0, 0.5, 0.5, 1.0], 5, 0.5 * (1 - 0.25 / 4 / 0.25)),
        ([0.5, 1.0, 2.0, 0.5, 1.0], 2, 0.0),
        ([3.0, 1.0, 9.0, 3.0, 1.0], 9, 1.0),
        ([0.5, 1.0, 0.25, 0.5, 1.0], 1, 0.5),
        ([-0.5, 1.0, 0.25, -0.5, 1.0], 9, 0.0),
    ],
)
def test_the_estimate_is_shrunk_by_its_variance(moments, count, gain) -> None:
    assert fit_gain(moments, count) == pytest.approx(gain)
