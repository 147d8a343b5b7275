"""Bootstrap intervals against scipy's, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from rsforge.metrics import bootstrap as ours
from rsforge.metrics.bootstrap import mean_intervals


def drawn(seed: int, groups: int, each: int, own: float = 1.0) -> tuple[np.ndarray, list[str]]:
    """Values that share most of what they are with their group."""
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.normal(size=groups), each) + own * rng.normal(size=groups * each)
    return values[:, None], [f"scene {k}" for k in np.repeat(np.arange(groups), each)]


def test_over_images_it_is_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).gamma(2, size=(60, 1))
    low, high = mean_intervals(values, range(60), resamples=20_000, confidence=0.9, seed=0)[0]
    theirs = bootstrap((values[:, 0],), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile")
    assert (low, high) == pytest.approx(theirs.confidence_interval, abs=0.03 * (high - low))


def test_over_scenes_it_is_scipys_of_the_ratio_of_sums() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 9, 20)
    scenes = np.repeat(np.arange(20), sizes)
    values = 3 + rng.normal(size=20)[scenes] + rng.normal(size=len(scenes))
    low, high = mean_intervals(values[:, None], scenes.tolist(), resamples=20_000, confidence=0.95, seed=0)[0]
    theirs = bootstrap(
        (np.bincount(scenes, values), sizes),
        lambda s, n, axis=-1: s.sum(axis) / n.sum(axis),
        paired=True, n_resamples=20_000, method="percentile",
    )  # fmt: skip
    assert (low, high) == pytest.approx(theirs.confidence_interval, abs=0.04 * (high - low))


def test_intervals_hold_the_truth_as_often_as_they_say_only_when_scenes_stay_whole() -> None:
    held = {"scenes": 0, "images": 0}
    for trial in range(200):
        values, scenes = drawn(trial, groups=30, each=6, own=0.3)
        for how, groups in (("scenes", scenes), ("images", range(len(scenes)))):
            low, high = mean_intervals(values, groups, resamples=200, confidence=0.9, seed=trial)[0]
            held[how] += low < 0 < high
    assert 0.82 < held["scenes"] / 200 < 0.96
    assert held["images"] / 200 < 0.65


def test_columns_are_drawn_together_so_that_a_difference_of_twins_is_certain() -> None:
    values, scenes = drawn(3, groups=12, each=3)
    table = np.concatenate([values, values - 0.5, np.full_like(values, 7.0)], axis=1)
    first, second, flat = mean_intervals(table, scenes, resamples=500, confidence=0.95, seed=4)
    assert second == pytest.approx(first - 0.5) and flat == pytest.approx([7.0, 7.0])
    assert first[0] < values.mean() < first[1]


def test_the_order_of_blocks_and_a_seed_decide_nothing_and_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    values, scenes = drawn(5, groups=10, each=2)
    one = mean_intervals(values, scenes, resamples=101, confidence=0.95, seed=1)
    assert (mean_intervals(values, scenes, resamples=101, confidence=0.95, seed=2) != one).all()
    monkeypatch.setattr(ours, "_AT_ONCE", 25)
    assert (mean_intervals(values, scenes, resamples=101, confidence=0.95, seed=1) == one).all()


@pytest.mark.parametrize("groups", [["a"], ["a", "a", "a"]])
def test_one_group_has_no_interval(groups: list[str]) -> None:
    intervals = mean_intervals(np.ones((len(groups), 2)), groups, resamples=9, confidence=0.95, seed=0)
    assert intervals.shape == (2, 2) and np.isnan(intervals).all()
