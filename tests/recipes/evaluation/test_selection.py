from __future__ import annotations

import pytest

from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats


def state(held_out: int = 3, best: int | None = 4, epoch: int = 5) -> dict:
    parts = {} if best is None else {"best": {"epoch": best, "figure": 0.1}}
    return {"images": {"train": 9, "held_out": held_out}, "parts": parts, "progress": {"epoch": epoch}}


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [(state(), "val"), (state(held_out=0), "train"), (state(best=2), None), (state(best=None), "val"), ({}, "train")],
)
def test_a_model_is_chosen_where_its_best_epoch_was_judged(checkpoint, expected):
    assert chosen_on(checkpoint) == expected


@pytest.mark.parametrize(("step", "expected"), [(7, "val"), (9, None)])
def test_a_best_inside_an_epoch_is_known_by_its_step(step, expected):
    checkpoint = state(best=1, epoch=1)
    checkpoint["parts"]["best"]["step"], checkpoint["progress"]["step"] = 7, step
    assert chosen_on(checkpoint) == expected


@pytest.mark.parametrize(("step", "expected"), [(0, "val"), (2, None)])
def test_a_best_that_is_the_start_is_no_checkpoint_of_the_first_epoch(step, expected):
    """Neither epoch has ended."""
    checkpoint = state(best=-1, epoch=0)
    checkpoint["parts"]["best"]["step"], checkpoint["progress"]["step"] = 0, step
    assert chosen_on(checkpoint) == expected


@pytest.mark.parametrize(
    ("checkpoint", "subset", "own", "has_caveat"),
    [
        (state(), "val", True, True),
        (state(), "test", True, False),
        (state(), "val", False, False),
        (state(best=2), "val", True, False),
        (state(held_out=0), "train", True, True),
        (state(), "all", True, False),
    ],
)
def test_figures_of_the_images_that_chose_the_epoch_have_a_caveat(checkpoint, subset, own, has_caveat):
    assert bool(list_selection_caveats(checkpoint, subset, own=own)) == has_caveat
    assert all(subset in sentence for sentence in list_selection_caveats(checkpoint, subset, own=own))
