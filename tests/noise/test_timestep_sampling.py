"""Timesteps of training: the whole table, or mostly the middle of the straight path."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from rsforge.noise.timestep_sampling import sample_timesteps, shift_times, timesteps_of_stratum


def test_uniform_is_every_timestep_alike() -> None:
    torch.manual_seed(0)
    t = sample_timesteps("uniform", 10, 20_000)
    assert t.dtype == torch.int64 and stats.chisquare(t.bincount(minlength=10)).pvalue > 0.01


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 0.6)])
def test_logit_normal_times_are_normal_before_the_sigmoid(mean, std) -> None:
    torch.manual_seed(0)
    t = sample_timesteps("logit_normal", 1000, 20_000, mean=mean, std=std)
    s = (t.double() + 0.5) / 1000  # the middle of what was rounded up to (t + 1) / 1000
    assert stats.kstest(torch.logit(s), stats.norm(mean, std).cdf).statistic < 0.012


def test_a_shift_multiplies_the_odds_of_noise() -> None:
    s = torch.tensor([0.0, 0.2, 0.5, 1.0], dtype=torch.float64)
    assert torch.allclose(shift_times(s, 3.0), torch.tensor([0, 3 / 7, 0.75, 1], dtype=torch.float64))


@pytest.mark.parametrize("shift", [0.5, 3.0])
@pytest.mark.parametrize(("kind", "cdf"), [("uniform", stats.uniform.cdf), ("logit_normal", stats.norm.cdf)])
def test_shifted_times_have_the_distribution_of_the_others_before_the_shift(kind, cdf, shift) -> None:
    torch.manual_seed(0)
    s = (sample_timesteps(kind, 1000, 20_000, shift=shift).double() + 0.5) / 1000
    before = shift_times(s, 1 / shift)
    times = torch.logit(before) if kind == "logit_normal" else before
    assert stats.kstest(times, cdf).statistic < 0.012


@pytest.mark.parametrize("kind", ["uniform", "logit_normal"])
@pytest.mark.parametrize("num_train_steps", [2, 1000])
def test_timesteps_lie_in_the_table_and_follow_the_global_state(kind, num_train_steps) -> None:
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(sample_timesteps(kind, num_train_steps, 5000, std=8.0))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert draws[0].min() == 0 and draws[0].max() == num_train_steps - 1


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="cosmap"):
        sample_timesteps("cosmap", 10, 1)


@pytest.mark.parametrize(("num_train_steps", "strata"), [(1000, 4), (1000, 7), (3, 8)])
def test_strata_are_equal_parts_that_make_up_the_table(num_train_steps, strata) -> None:
    torch.manual_seed(0)
    parts = [timesteps_of_stratum(num_train_steps, k, strata, 4000) for k in range(strata)]
    for k, t in enumerate(parts):
        assert t.dtype == torch.int64
        assert t.min() >= k * num_train_steps // strata and t.max() <= (k + 1) * num_train_steps / strata
    counts = torch.cat(parts).bincount(minlength=num_train_steps)
    assert len(counts) == num_train_steps and stats.chisquare(counts).pvalue > 0.01
