"""Plateau: figures below 0, and what it remembers across a resume. The rates are compared in test_parts."""

from __future__ import annotations

import random
from functools import partial

from rsforge.engine.lr_schedules import Plateau, constant


def plateau():
    return Plateau(partial(constant, peak=1.0), floor=0.1, patience=2)


def rates(rate, figures):
    seen = []
    for figure in figures:
        rate.observe(figure)
        seen.append(rate.at(0))
    return seen


def test_figures_below_zero_improve_by_becoming_lower():
    """The monitored figure is the negative of one for which high is good, such as PSNR."""
    assert rates(plateau(), [-20.0, -20.1, -20.2, -20.3, -20.4]) == [1.0] * 5
    assert rates(plateau(), [-20.0, -20.0, -20.001, -20.0, -20.0]) == [1.0, 1.0, 1.0, 0.5, 0.5]


def test_resumed_after_any_epoch_it_is_the_rate_of_a_run_never_interrupted():
    chance = random.Random(2)
    figures = [1 / (1 + k) + chance.uniform(0, 0.2) for k in range(30)]
    whole = rates(plateau(), figures)
    assert len(set(whole)) == 5
    for cut in range(30):
        before, after = plateau(), plateau()
        rates(before, figures[:cut])
        after.load_state_dict(before.state_dict())
        assert rates(after, figures[cut:]) == whole[cut:]
