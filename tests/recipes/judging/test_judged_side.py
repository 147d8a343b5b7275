"""What judges the best model of a training, and what is said of it."""

from __future__ import annotations

import torch

from rsforge.recipes.datasets.named_samples import NoSamples, name_scenes, unknown_scenes
from rsforge.recipes.judging.judged_side import JudgedSide, choose_side, describe_judging
from rsforge.recipes.verdict import KEY, compare_with_best
from tests.worlds.items import Named


def test_what_chose_nothing_judges_else_what_chose():
    side = choose_side(Named("ab"), Named("cde"), unknown_scenes)
    assert (side.subset, side.samples.name(0), side.scenes) == ("test", "c", ["", "", ""])
    side = choose_side(Named("ab"), NoSamples(), lambda samples: name_scenes({"a": "one"}, samples))
    assert (side.subset, side.scenes) == ("val", ["one", ""])
    assert choose_side(NoSamples(), NoSamples(), unknown_scenes) is None


def test_of_many_samples_some_are_taken_evenly_spread():
    side = choose_side(NoSamples(), Named("abcdefgh"), unknown_scenes, most=4)
    assert list(side.indices) == [0, 2, 4, 6] and [side.samples.name(k) for k in range(4)] == list("aceg")
    assert len(side.of(Named("wxyz")).samples) == 4 and side.of(Named("wxyz")).scenes == side.scenes


def test_the_figure_stands_beside_every_baseline_and_the_sentence_says_of_what():
    row = {"mean": 0.2, "low": 0.1, "high": 0.3}
    figures = {"model": {"mse": row}, "pca": {"mse": row | {"mean": 0.1}}, "odd": {}}
    gain = {"mse": {"over": "pca", "mean": -0.1, "low": -0.2, "high": 0.0}}
    result = {"figures": figures, "interval": "of 2", KEY: compare_with_best(figures, gain, "mse")}
    told = describe_judging(result, choose_side(NoSamples(), Named("ab"), unknown_scenes))
    assert told["judged"] == {
        "side": "test", "images": 2, "interval": "of 2", "better": False,
        "mse": {"model": 0.2, "low": 0.1, "high": 0.3, "pca": 0.1},
    }  # fmt: skip
    assert told["verdict"].endswith("baseline pca (mse 0.2, 0.1), on 2 images that chose nothing.")
    told = describe_judging(result, choose_side(Named("ab"), NoSamples(), unknown_scenes, noun="pair"))
    assert told["verdict"].endswith("on 2 pairs that chose it.")


def test_a_baseline_that_has_the_figure_by_another_name_stands_there_too_and_a_doubt_beside_the_interval():
    row = {"mean": 0.1, "low": 0.05, "high": 0.2}
    figures = {"model": {"l1_of_mean": row}, "linear_sar": {"l1": row | {"mean": 0.3}}}
    verdicts = compare_with_best(figures, {"l1_of_mean": {"over": "linear_sar", **row}}, "l1_of_mean", like="l1")
    result = {"figures": figures, "interval": "of 2", "interval_warning": "too narrow", KEY: verdicts}
    told = describe_judging(result, choose_side(NoSamples(), Named("ab"), unknown_scenes))["judged"]
    assert told["l1_of_mean"] == {"model": 0.1, "low": 0.05, "high": 0.2, "linear_sar": 0.3}
    assert told["interval"] == "of 2; too narrow"


def test_of_many_figures_those_that_are_better_share_a_sentence() -> None:
    def verdict(figure: str, better: bool) -> dict:
        return {
            "figure": figure,
            "over": "gaussian",
            "baseline": 1.0,
            "baseline_figure": figure,
            "better": better,
            "sentence": f"{figure} {better}",
        }

    row = {"mean": 1.0, "low": 0.5, "high": 2.0}
    names = {"loss": True, "q1": True, "q2": False, "q3": True, "q4": True}
    figures = {"model": dict.fromkeys(names, row), "gaussian": dict.fromkeys(names, row)}
    verdicts = [verdict(name, better) for name, better in names.items()]
    side = JudgedSide("test", NoSamples(), [], [])
    told = describe_judging({"figures": figures, "interval": "", KEY: verdicts}, side)["verdict"]
    on = "on 0 images that chose nothing."
    assert told == f"loss True, {on} q1 True, {on} q2 False, {on} It is better in q3, q4 too, {on}"


class Masked(Named):
    """Samples of which those in capitals alone hold data."""

    has_gaps = True

    def valid(self, key: tuple[int, int]) -> torch.Tensor:
        return torch.tensor(self.name(key[1]).isupper())


def test_samples_without_data_do_not_judge() -> None:
    side = choose_side(Masked("aBcD"), NoSamples(), unknown_scenes)
    assert list(side.indices) == [1, 3] and side.samples.name(1) == "D"
    assert choose_side(Masked("ab"), NoSamples(), unknown_scenes) is None
