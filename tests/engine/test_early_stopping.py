"""Best, patience and flatness: their bounds, and what they remember across a resume."""

from __future__ import annotations

import random

import pytest

from rsforge.engine.early_stopping import Best, Stopping


def reasons(figures, **options):
    rule = Stopping(**options)
    return [bool(rule.reason(figure)) for figure in figures]


def test_flat_needs_a_small_spread_and_a_newest_figure_near_the_mean():
    """The first figures have a standard deviation of 0.289; the newest of the others lies 0.18 from their mean."""
    wide = [0.5, 1.5, 1.0, 1.0, 1.0, 1.0]
    assert reasons(wide, window=6, threshold=0.28) == [False] * 6
    assert reasons(wide, window=6, threshold=0.29) == [False] * 5 + [True]
    outlier = [1.0] * 9 + [1.2]
    assert reasons(outlier, window=10, threshold=0.1) == [False] * 10
    assert reasons(outlier, window=10, threshold=0.2) == [False] * 9 + [True]


def test_flatness_looks_at_exactly_its_window():
    assert reasons([5.0, 1.0, 1.0, 1.0], window=3, threshold=0.1) == [False, False, False, True]


def test_the_best_must_be_better_by_delta():
    best = Best(delta=0.1)
    assert [best.update_best(figure, epoch) for epoch, figure in enumerate([1.0, 0.95, 0.85])] == [True, False, True]


RULES = {
    "patience": {"patience": 4, "delta": 0.05},
    "flat": {"window": 5, "threshold": 0.12},
    "both": {"patience": 7, "delta": 0.01, "window": 3, "threshold": 0.05},
}


@pytest.mark.parametrize("options", RULES.values(), ids=RULES)
def test_rules_resumed_after_any_epoch_give_the_reasons_of_a_run_never_interrupted(options):
    chance = random.Random(1)
    figures = [1 / (1 + k) + chance.uniform(0, 0.2) for k in range(30)]
    rule = Stopping(**options)
    whole = [rule.reason(figure) for figure in figures]
    assert any(whole) and not all(whole)
    for cut in range(30):
        before, after = Stopping(**options), Stopping(**options)
        for figure in figures[:cut]:
            before.reason(figure)
        after.load_state_dict(before.state_dict())
        assert [after.reason(figure) for figure in figures[cut:]] == whole[cut:]


def test_the_best_figure_is_still_the_best_after_a_resume():
    before, after = Best(), Best()
    before.update_best(0.5, 3)
    after.load_state_dict(before.state_dict())
    assert not after.update_best(0.6, 4) and (after.figure, after.epoch) == (0.5, 3)
    assert after.update_best(0.4, 5)
