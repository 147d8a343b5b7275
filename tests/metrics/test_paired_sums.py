"""Intervals of figures of sums, and gains by the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.metrics.bootstrap import mean_intervals, resample_sums
from rsforge.metrics.paired_sums import PairedFigures, Resampling


def derive(sums):
    return {"mean": sums["total"] / sums["count"], "bands": np.sqrt(sums["bands"].mean(-1))}


def draw(seed: int, n: int = 30):
    """Sums of hard and easy images; the second predictor errs by a little more in each."""
    rng = np.random.default_rng(seed)
    count, hardness = rng.integers(1, 9, n).astype(float), rng.gamma(2, size=n)
    one = {"total": count * hardness, "count": count, "bands": rng.uniform(size=(n, 4))}
    return one, one | {"total": one["total"] + 0.1 * count * rng.uniform(0.5, 1.5, n), "bands": one["bands"] + 1}


def resample(groups, resamples=4000):
    return Resampling(groups, resamples, 0.9, 0)


def test_figures_are_those_of_the_total():
    one, other = draw(0)
    paired = PairedFigures({"one": one, "other": other}, derive, resample(list(range(30))))
    assert paired.estimate("one", "mean").value == pytest.approx(one["total"].sum() / one["count"].sum())
    assert paired.estimate("one", "bands").value == pytest.approx(np.sqrt(one["bands"].sum(0).mean()))


def test_intervals_are_those_of_means_where_the_figure_is_one():
    one, _ = draw(1)
    same = {**one, "total": one["total"] / one["count"], "count": np.ones(30)}
    estimate = PairedFigures({"one": same}, derive, resample(list("abcdefghij") * 3)).estimate("one", "mean")
    expected = mean_intervals(same["total"][:, None], list("abcdefghij") * 3, resamples=4000, confidence=0.9, seed=0)
    assert estimate[1:] == pytest.approx(tuple(expected[0]))


def test_a_gain_is_paired_and_turns_with_the_direction():
    one, other = draw(2)
    paired = PairedFigures({"one": one, "other": other}, derive, resample(list(range(30))))
    gain = paired.gain("one", "other", "mean", higher_is_better=False)
    assert 0.05 < gain.low < gain.value < gain.high < 0.15  # far narrower than either interval
    assert paired.estimate("one", "mean").high - paired.estimate("one", "mean").low > 5 * (gain.high - gain.low)
    worse = paired.gain("one", "other", "mean", higher_is_better=True)
    assert worse == pytest.approx((-gain.value, -gain.high, -gain.low))


def test_without_groups_there_is_no_interval():
    one, _ = draw(3)
    estimate = PairedFigures({"one": one}, derive, resample([])).estimate("one", "mean")
    assert np.isfinite(estimate.value) and np.isnan(estimate.low) and np.isnan(estimate.high)


def test_a_few_draws_without_a_figure_are_left_out():
    one, _ = draw(4)
    one["count"][3:] = one["total"][3:] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        paired = PairedFigures({"one": one}, derive, resample(list(range(30))))
    draws = paired.draws["one"]["mean"]
    assert 0 < np.isnan(draws).sum() < 0.1 * len(draws)
    estimate = paired.estimate("one", "mean")
    assert (estimate.low, estimate.high) == tuple(np.nanquantile(draws, [0.025, 0.975]))


def test_where_many_draws_have_no_figure_there_is_no_interval():
    one, _ = draw(4)
    one["count"][1:] = 0  # draws without the first image divide by nothing
    with np.errstate(divide="ignore"):
        estimate = PairedFigures({"one": one}, derive, resample(list(range(30)))).estimate("one", "mean")
    assert np.isfinite(estimate.value) and np.isnan(estimate.low)


def test_whole_groups_are_drawn():
    values = np.array([[1.0], [10.0], [100.0]])
    drawn = set(resample_sums(values, ["a", "a", "b"], resamples=50, seed=0)[:, 0])
    assert drawn == {22.0, 111.0, 200.0}
    assert resample_sums(values, ["a"] * 3, resamples=50, seed=0).shape == (0, 1)
