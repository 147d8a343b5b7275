"""Means, intervals and gains from figures of every sample."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.recipes.evaluation.evaluation import Figure
from rsforge.recipes.evaluation.summary import Bootstrap, bootstrap_groups, rank_examples, summarize

FIGURES = [Figure(name, "", name in ("psnr_db", "ssim"), None) for name in ("l1", "psnr_db", "ssim", "lpips")]


def test_a_gain_above_zero_is_the_models_for_every_figure() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 40)) / 100
    good = {"l1": 0.1 + noise[0], "psnr_db": 20 + noise[0], "ssim": 0.9 + noise[0], "lpips": 0.2 + noise[0]}
    poor = {"l1": 0.3 + noise[1], "psnr_db": 12 + noise[1], "ssim": 0.4 + noise[1], "lpips": 0.6 + noise[1]}
    worse = {"l1": poor["l1"] + 1, "psnr_db": poor["psnr_db"] - 1, "ssim": poor["ssim"] - 1, "lpips": poor["lpips"] + 1}
    draws = Bootstrap(resamples=100, confidence=0.95, seed=0)
    _, gain = summarize({"model": good, "copy_sar": poor, "mean_colour": worse}, FIGURES, range(40), draws)
    assert {found["over"] for found in gain.values()} == {"copy_sar"} and len(gain) == 4
    assert all(0 < found["low"] < found["mean"] < found["high"] for found in gain.values())
    _, loss = summarize({"model": worse, "copy_sar": poor, "mean_colour": good}, FIGURES, range(40), draws)
    assert all(found["over"] == "mean_colour" and found["high"] < 0 for found in loss.values())


@pytest.mark.parametrize(("count", "labels"), [(1, ["best"]), (2, ["best", "worst"]), (3, ["best", "median", "worst"])])
def test_examples_are_different_images(count, labels) -> None:
    assert list(rank_examples(np.arange(count)[::-1], higher_is_better=False)) == labels


def test_what_is_no_number_is_the_worst() -> None:
    values = np.array([3.0, np.nan, 1.0, 2.0])
    assert rank_examples(values, higher_is_better=False) == {"best": 2, "median": 3, "worst": 1}
    assert rank_examples(values, higher_is_better=True) == {"best": 0, "median": 3, "worst": 1}


def test_a_figure_that_only_the_model_has_is_no_gain() -> None:
    values = {"model": {"l1": np.ones(3), "kl": np.arange(3.0)}, "mean_image": {"l1": np.full(3, 2.0)}}
    figures = [Figure("l1", "", False, None), Figure("kl", "nats", False, None, model_only=True)]
    found, gain = summarize(values, figures, range(3), Bootstrap(100, 0.9, 0))
    assert list(gain) == ["l1"] and gain["l1"]["mean"] == 1.0 and gain["l1"]["over"] == "mean_image"
    assert list(found) == ["model", "mean_image"] and found["model"]["kl"]["mean"] == 1.0


def test_a_figure_of_several_draws_is_compared_with_that_of_one_image() -> None:
    values = {"model": {"l1": np.full(3, 1.5), "l1_of_mean": np.ones(3)}, "mean_image": {"l1": np.full(3, 2.0)}}
    figures = [Figure("l1", "", False, None), Figure("l1_of_mean", "", False, None, True, "l1")]
    _, gain = summarize(values, figures, range(3), Bootstrap(100, 0.9, 0))
    assert gain["l1_of_mean"] == {"over": "mean_image", "mean": 1.0, "low": 1.0, "high": 1.0}


def test_a_reference_is_no_baseline_though_it_is_better() -> None:
    values = {"model": {"l1": np.ones(3)}, "true": {"l1": np.zeros(3)}, "zero": {"l1": np.full(3, 4.0)}}
    found, gain = summarize(values, FIGURES[:1], range(3), Bootstrap(100, 0.9, 0), beside=["true"])
    assert gain["l1"]["over"] == "zero" and found["true"]["l1"]["mean"] == 0


def test_without_baselines_nothing_is_gained() -> None:
    found, gain = summarize({"model": {"l1": np.ones(3)}}, FIGURES[:1], range(3), Bootstrap(100, 0.9, 0))
    assert gain == {} and found["model"]["l1"]["mean"] == 1.0


def test_images_of_unknown_scene_stand_for_themselves() -> None:
    groups, what, doubt = bootstrap_groups([*"aabbccdde", "", ""])
    assert len(set(groups)) == 7 and groups[0] == groups[1] and what == "7 scenes" and "7 scenes" in doubt
    assert bootstrap_groups(["", ""])[2].startswith("no scenes are known")
    assert bootstrap_groups(list(map(str, range(30))))[2] == ""
