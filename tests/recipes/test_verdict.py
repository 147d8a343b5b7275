"""Whether a model is better than the best of its baselines, in words and as an exit."""

from __future__ import annotations

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.verdict import KEY, Verdict, compare_with_best, list_sentences, require_better


def summary(model: float | None, other: float, mean: float | None, low: float | None = None) -> list[dict]:
    figures = {"model": {"l1": {"mean": model}}, "linear_sar": {"l1": {"mean": other}}}
    high = None if mean is None else mean + 1
    return compare_with_best(figures, {"l1": {"over": "linear_sar", "mean": mean, "low": low, "high": high}}, "l1")


@pytest.mark.parametrize(
    ("verdicts", "better", "sentence"),
    [
        (summary(0.258, 0.246, -0.012), False, "is not better than its baseline linear_sar (l1 0.258, 0.246)"),
        (summary(0.2, 0.2, 0.0), False, "is not better than its baseline linear_sar (l1 0.2, 0.2)"),
        (summary(0.2, 0.2, 1e-8, 5e-9), False, "is not better than its baseline linear_sar (l1 0.2, 0.2)"),
        (summary(None, 0.2, None), False, "is not better than its baseline linear_sar (l1 no number, 0.2)"),
        (summary(0.2, 0.3, 0.1, 0.05), True, "is better than the best of its baselines, linear_sar (l1 0.2, 0.3)"),
        (summary(0.2, 0.3, 0.1), True, "(l1 0.2, 0.3), from too few samples for an interval"),
        (summary(0.2, 0.3, 0.1, -0.1), True, "by no more than chance may give (gain 0.1 [-0.1, 1.1])"),
    ],
)
def test_the_sentence_names_the_best_baseline_and_both_figures(verdicts, better, sentence):
    (verdict,) = verdicts
    assert verdict["better"] is better and sentence in verdict["sentence"]
    assert list_sentences({KEY: verdicts}) == [f"{verdict['sentence']}."] and verdict["sentence"].startswith(
        "The model"
    )


def test_figures_that_no_baseline_has_are_not_judged():
    assert compare_with_best({"model": {"kl": {"mean": 1.0}}}, {}, "kl") == [] and list_sentences({}) == []


def test_a_figure_of_several_draws_is_that_of_one_for_a_baseline():
    figures = {"model": {"l1_of_mean": {"mean": 0.1}}, "mean_image": {"l1": {"mean": 0.3}}}
    gain = {"l1_of_mean": {"over": "mean_image", "mean": 0.2, "low": None, "high": None}}
    (verdict,) = compare_with_best(figures, gain, "l1_of_mean", like="l1", subject="stage 1")
    assert (verdict["model"], verdict["baseline"]) == (0.1, 0.3) and verdict["sentence"].startswith("Stage 1 is better")


def test_the_exit_is_only_where_it_is_asked_for_and_carries_the_result():
    result = {KEY: summary(0.3, 0.2, -0.1) + summary(0.1, 0.2, 0.1), "side": "test", "output_dir": "place"}
    require_better(result, wanted=False)
    require_better({KEY: summary(0.1, 0.2, 0.1)}, wanted=True)
    with pytest.raises(RsforgeError, match="not better than its baseline linear_sar") as caught:
        require_better(result, wanted=True)
    error = caught.value
    assert (error.code, error.exit, error.result) == ("RSF-T005", 5, result)
    assert "side test" in error.where and error.kept == "the evaluation in place"


def test_nothing_to_compare_with_is_no_success():
    with pytest.raises(RsforgeError, match="no baseline to compare"):
        require_better({KEY: []}, wanted=True)


def test_several_are_spoken_of_in_the_plural() -> None:
    gain = {"mean": -1.0, "low": -2.0, "high": 0.5}
    said = Verdict("rmse", 3.0, "ridge", 2.0, gain, "both stages").describe()
    assert said == "Both stages are not better than their baseline ridge (rmse 3, 2)"
