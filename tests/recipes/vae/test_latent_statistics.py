"""Mean and deviation of sampled latents, and that none that are not finite come into a checkpoint."""

from __future__ import annotations

import math

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.vae.latent_statistics import LatentStatistics
from tests.engine.toys import trainer

CPU = torch.device("cpu")


class Values:
    """Images ``(1, 2, 2)`` of one value each."""

    def __len__(self):
        return 40

    def __getitem__(self, key):
        return torch.full((1, 2, 2), float(key[1]))


class Network:
    def __init__(self, logvar):
        self.logvar = logvar

    def encode(self, x):
        return x.mean((2, 3)), torch.full((len(x), 1), self.logvar)


def test_the_deviation_is_that_of_means_and_noise_together():
    statistics = LatentStatistics(Network(math.log(4.0)), Values(), CPU)
    statistics.measure()
    assert float(statistics.mean) == pytest.approx(19.5)
    assert float(statistics.std) == pytest.approx(math.sqrt((40**2 - 1) / 12 + 4), rel=1e-6)


@pytest.mark.parametrize("logvar", [math.nan, 200.0, 1000.0])
def test_statistics_that_are_not_finite_end_the_run_before_anything_is_written(tmp_path, logvar):
    statistics = LatentStatistics(Network(logvar), Values(), CPU)
    run = trainer(tmp_path, epochs=1, measure=statistics.measure)
    run.register("latents", statistics)
    with pytest.raises(RsforgeError, match=r"own/latents/std .* not finite") as caught:
        run.run()
    assert caught.value.code == "RSF-T001" and not list(tmp_path.glob("*.pt"))


class Maps(Values):
    """Images of 4 x 4 pixels of one value each, without data on the left of every other, where ``under`` stands."""

    has_gaps = True

    def __init__(self, under):
        self.under = under

    def valid(self, key):
        mask = torch.ones(1, 4, 4, dtype=torch.bool)
        mask[..., :1] = key[1] % 2 == 0
        return mask

    def __getitem__(self, key):
        return torch.full((1, 4, 4), float(key[1])).where(self.valid(key), self.under)


class Pooling(Network):
    def encode(self, x):
        mu = torch.nn.functional.avg_pool2d(x, 2)
        return mu, torch.full_like(mu, self.logvar)


def test_cells_without_data_have_no_part():
    found = []
    for under in (-1.0, 99.0):
        statistics = LatentStatistics(Pooling(math.log(4.0)), Maps(under), CPU)
        statistics.measure()
        found.append(statistics)
    assert torch.equal(found[0].mean, found[1].mean) and torch.equal(found[0].std, found[1].std)
    assert found[0].mean.shape == found[0].std.shape == (1, 1, 1)
    weights = torch.tensor([2.0, 1.0]).repeat(20)
    values = torch.arange(40.0)
    mean = (values * weights).sum() / weights.sum()
    assert float(found[0].mean) == pytest.approx(float(mean))
    variance = ((values - mean) ** 2 * weights).sum() / weights.sum() + 4
    assert float(found[0].std) == pytest.approx(float(variance.sqrt()), rel=1e-6)
