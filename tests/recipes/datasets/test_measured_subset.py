from __future__ import annotations

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.measured_subset import MeasuredSubset, choose_subset, choose_synthetic, why_undivided


@pytest.mark.parametrize(
    ("choice", "sizes", "subset"),
    [
        ("auto", (3, 2, 1), "test"),
        ("auto", (3, 2, 0), "val"),
        ("auto", (3, 0, 0), "all"),
        ("train", (3, 2, 1), "train"),
        ("all", (3, 2, 1), "all"),
    ],
)
def test_of_a_split_the_test_subset_is_taken_first_unless_one_is_named(choice, sizes, subset):
    members = {name: [0] * size for name, size in zip(("train", "val", "test"), sizes, strict=True)}
    found, reason = choose_subset(choice, members)
    assert found == subset and bool(reason) == (choice == "auto")


def test_drawn_samples_are_divided_only_where_they_were_trained_on():
    assert choose_synthetic("auto", ours=True, sides=(9, 3, 2), noun="pairs")[0] == "test"
    assert choose_synthetic("auto", ours=True, sides=(9, 3, 0), noun="pairs")[0] == "val"
    assert choose_synthetic("auto", ours=True, sides=(9, 0, 0), noun="pairs")[0] == "all"
    assert choose_synthetic("auto", ours=False, sides=(9, 3, 2), noun="pairs")[0] == "all"
    assert choose_synthetic("train", ours=True, sides=(9, 3, 0), noun="pairs") == ("train", "")
    assert choose_synthetic("test", ours=True, sides=(9, 3, 2), noun="pairs") == ("test", "")
    for choice, ours in (("test", True), ("val", False)):
        with pytest.raises(RsforgeError, match=f"no subset {choice}"):
            choose_synthetic(choice, ours=ours, sides=(9, 3, 0), noun="pairs")


def test_why_a_division_cannot_be_made_again_is_said():
    held = {"settings": {"data": {"val_fraction": 0.1}}, "images": {"held_out": 2}}
    assert why_undivided(held) == ""
    assert "does not say" in why_undivided({}) and "nothing was held out" in why_undivided(held | {"images": {}})


@pytest.mark.parametrize(("trained", "words"), [(None, "is unknown"), (2, "2 of these 3 pairs"), (0, "")])
def test_what_was_trained_on_is_a_doubt(trained, words):
    doubts = MeasuredSubset([1, 2, 3], [""] * 3, "all", trained=trained).list_caveats("pairs")
    assert bool(doubts) == bool(words) and all(words in doubt for doubt in doubts)
