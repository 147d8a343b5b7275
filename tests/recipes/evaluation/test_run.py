"""One evaluation for every kind of sample: here of numbers, of cubes and of prompts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.evaluation.evaluation import Baseline, Evaluation, Figure, Panel
from rsforge.recipes.evaluation.run import EvaluationSet, measure, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.table import table
from rsforge.settings.evaluation import EvaluationSettings

CPU = torch.device("cpu")


class Items:
    """A dataset of a list."""

    def __init__(self, items: list) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]):
        return self.items[key[1]]

    def name(self, index: int) -> str:
        return f"item {index}"


def error(prediction, batch) -> torch.Tensor:
    return (prediction["y"] - batch["y"]).abs()


def numbers() -> Evaluation:
    return Evaluation(
        model=lambda batch: {"y": batch["y"] + 0.5},
        figures=[Figure("error", "m", False, error), Figure("lpips", "", False, None)],
        baselines=[Baseline("zero", "nothing", lambda batch: {"y": torch.zeros_like(batch["y"])})],
        panels=lambda batch, prediction: [Panel("y", torch.zeros(1, 4, 4)), Panel("error", torch.ones(4, 4), 2.0)],
        batch_of=lambda items: {"y": torch.tensor(items)},
        ranked_by="error",
    )


def run(evaluation: Evaluation, items: list | Items, **settings) -> dict:
    samples = items if isinstance(items, Items) else Items(items)
    data = EvaluationSet(samples, [f"scene {k // 2}" for k in range(len(items))], ["they are drawn"])
    own = EvaluationSettings(resamples=100, **settings)
    facts, absent = {"side": "val", "side_reason": "why not", "chosen_on": "val", "images": 7}, {"lpips": "no weights"}
    return run_evaluation(evaluation, data, facts, absent, own, SilentConsole(), batch_size=3, device=CPU)


def test_figures_carry_units_directions_baselines_and_doubts():
    result = run(numbers(), [float(k) for k in range(12)])
    assert result["figures"]["model"]["error"]["mean"] == 0.5 and result["figures"]["model"]["lpips"] is None
    assert result["figures"]["zero"]["error"]["mean"] == 5.5 and result["gain"]["error"]["over"] == "zero"
    assert result["units"] == {"error": "m", "lpips": ""} and set(result["directions"].values()) == {"lower"}
    assert result["baselines"] == {"zero": "nothing"} and "6 scenes" in result["interval"]
    assert result["doubts"] == ["they are drawn", result["interval_warning"]]
    text = table(result)
    assert "zero is nothing." in text and "Lower is better: error, lpips." in text and "Mind: they are drawn." in text
    assert (
        "side        val (why not)" in text and "chosen_on   val" in text and "Not measured: lpips: no weights." in text
    )


def test_what_was_measured_lies_beside_its_table_and_pictures(tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    items = [4.0, 0.0, 9.0]
    evaluation = numbers()
    off = Evaluation(**{**vars(evaluation), "model": lambda batch: {"y": torch.zeros_like(batch["y"])}})
    result = run(off, items, output_dir=place)
    assert result["examples"] == {"best": "item 1", "median": "item 0", "worst": "item 2"}
    assert json.loads((place / "evaluation.json").read_text()) == result
    rows = list(csv.DictReader((place / "per_image.csv").read_text().splitlines()))
    assert [float(row["error"]) for row in rows] == items and {row["lpips"] for row in rows} == {""}
    assert [row["scene"] for row in rows] == ["scene 0", "scene 0", "scene 1"] and (place / "examples.png").is_file()


def test_a_page_lies_beside_the_others_and_references_are_passed_over(tmp_path):
    true = Baseline("true", "the truth", lambda batch: {"y": batch["y"]}, reference=True)
    evaluation = replace(
        numbers(), page=lambda result: f"{result['side']} page", baselines=[*numbers().baselines, true]
    )
    result = run(evaluation, [1.0, 4.0, 2.0], output_dir=tmp_path)
    assert (tmp_path / "report.html").read_text() == "val page" and result["gain"]["error"]["over"] == "zero"
    with pytest.raises(RsforgeError, match="holds an evaluation"):
        run(evaluation, [1.0], output_dir=tmp_path)


def test_every_predictor_sees_the_same_batches_and_figures_of_the_set_see_all():
    seen = []

    def update(predictions, batch) -> None:
        seen.append((sorted(predictions), len(batch["y"])))

    def add_to(result, values) -> list[str]:
        result["largest"] = float(values["model"]["error"].max())
        return ["a warning"]

    of_set = SimpleNamespace(figures=[Figure("spread", "", True, None)], update=update, add_to=add_to)
    result = run(Evaluation(**{**vars(numbers()), "of_set": [of_set]}), [1.0] * 7)
    assert seen == [(["model", "zero"], count) for count in (3, 3, 1)]
    assert result["largest"] == 0.5 and "a warning" in result["doubts"] and result["directions"]["spread"] == "higher"


def test_cubes_are_evaluated_by_figures_of_their_own():
    """Spectra of 9 bands: an angle in degrees, and a baseline of their mean."""
    cubes = [torch.rand(9, 4, 4, generator=torch.Generator().manual_seed(k)) for k in range(5)]
    mean = torch.stack(cubes).mean(0)

    def angle_deg(prediction, batch) -> torch.Tensor:
        cosine = torch.nn.functional.cosine_similarity(prediction["cube"], batch["cube"], dim=1)
        return cosine.clamp(-1, 1).acos().rad2deg().mean((1, 2))

    evaluation = Evaluation(
        model=lambda batch: {"cube": batch["cube"] * 1.1},
        figures=[Figure("angle_deg", "degrees", False, angle_deg)],
        baselines=[Baseline("mean", "the mean spectrum", lambda batch: {"cube": mean.expand_as(batch["cube"])})],
        panels=lambda batch, prediction: [Panel("bands 1 to 3", batch["cube"][0, :3])],
        batch_of=lambda items: {"cube": torch.stack(list(items))},
        ranked_by="angle_deg",
    )
    result = run(evaluation, cubes)
    assert result["figures"]["model"]["angle_deg"]["mean"] < 0.1 < result["figures"]["mean"]["angle_deg"]["mean"]
    assert result["units"]["angle_deg"] == "degrees"


def test_prompts_are_samples_without_a_target():
    prompts = ["a river", "a wide river", "two fields and a road"]

    def words(prediction, batch) -> torch.Tensor:
        assert all(isinstance(prompt, str) for prompt in batch["prompt"])
        return prediction["image"].mean((1, 2, 3))

    evaluation = Evaluation(
        model=lambda batch: {"image": torch.stack([torch.full((3, 2, 2), float(len(p))) for p in batch["prompt"]])},
        figures=[Figure("likeness", "", True, words)],
        baselines=[],
        panels=lambda batch, prediction: [Panel(batch["prompt"][0], prediction["image"][0])],
        batch_of=lambda items: {"prompt": list(items)},
        ranked_by="likeness",
    )
    values = measure(evaluation, Items(prompts), SilentConsole(), batch_size=2, device=CPU)
    assert values["model"]["likeness"].tolist() == [len(prompt) for prompt in prompts]
    assert run(evaluation, prompts)["gain"] == {}


@pytest.mark.parametrize("place", [None, Path("out")])
def test_a_plan_says_what_is_absent_and_where_files_would_be(place):
    told = plan_evaluation({"images": 3}, {"lpips": "why"}, EvaluationSettings(output_dir=place))
    assert told == {"images": 3, "absent": {"lpips": "why"}, "output_dir": str(place or "nothing is written")}


def test_values_that_are_no_numbers_are_counted():
    warned = []
    console = SilentConsole()
    console.warn = warned.append
    data = EvaluationSet(Items([np.nan, 1.0]), ["", ""])
    run_evaluation(numbers(), data, {}, {}, EvaluationSettings(resamples=100), console, batch_size=3, device=CPU)
    assert "1 of 2 predictions hold values that are no numbers" in warned


def test_the_verdict_is_on_the_figure_that_ranks_or_on_the_one_that_judges(tmp_path):
    items = [float(k) for k in range(12)]
    result = run(numbers(), items)
    (verdict,) = result["verdicts"]
    assert (verdict["figure"], verdict["over"], verdict["better"]) == ("error", "zero", True)
    assert table(result).splitlines()[-1] == f"{verdict['sentence']}."
    twice = Figure("twice", "", False, lambda prediction, batch: 2 * error(prediction, batch), True, "error")
    judged = replace(numbers(), figures=[*numbers().figures, twice], judged_by=("twice",))
    (verdict,) = run(judged, items)["verdicts"]
    assert (verdict["figure"], verdict["model"], verdict["baseline"]) == ("twice", 1.0, 5.5)


def test_a_model_below_its_baselines_fails_after_everything_is_written(tmp_path):
    with pytest.raises(RsforgeError) as caught:
        run(numbers(), [0.0, 0.1, 0.2, 0.3], fail_below_baseline=True, output_dir=tmp_path)
    written = json.loads((tmp_path / "evaluation.json").read_text())
    assert caught.value.code == "RSF-T005" and written["verdicts"] == caught.value.result["verdicts"]


def test_published_figures_stand_in_the_result_and_its_table():
    evaluation = replace(numbers(), task="sar-to-optical")
    result = run(evaluation, [1.0, 2.0], compare_published="sen12-v2")
    found = result["published"]
    assert found["name"] == "sen12-v2" and "side val here, test there" in found["protocol"]
    assert any("digest of the names" in reason for reason in found["protocol"]) and not found["comparable"]
    text = table(result)
    assert "Published figures sen12-v2" in text and "patches of the same scenes on both sides" in text
    assert "Not comparable: fid: features of torchvision's Inception v3 there" in text
    assert "published" not in run(evaluation, [1.0, 2.0])
    assert "[-1, 1]" in result["definitions"]["lpips"]


class Masked(Items):
    """Items of which the fourth holds no data."""

    has_gaps = True

    def valid(self, key: tuple[int, int]) -> torch.Tensor:
        return torch.full((1, 1, 1), key[1] != 3)


class Empty(Items):
    """Items that hold no data."""

    has_gaps = True

    def valid(self, key: tuple[int, int]) -> torch.Tensor:
        return torch.zeros(1, 1, 1, dtype=torch.bool)


def test_batches_say_where_their_images_hold_data():
    seen = []
    evaluation = numbers()
    watching = replace(evaluation, model=lambda batch: seen.append(batch) or evaluation.model(batch))
    for kind in (Items, Masked):
        measure(watching, kind([float(k) for k in range(5)]), SilentConsole(), batch_size=3, device=CPU)
    assert [batch.get("valid") for batch in seen[:2]] == [None, None]
    assert torch.cat([batch["valid"].flatten() for batch in seen[2:]]).tolist() == [True, True, True, False, True]


def test_samples_without_data_do_not_count_as_perfect():
    off = replace(numbers(), model=lambda batch: {"y": batch["y"] + (batch["y"] != 3)})
    result = run(off, Masked([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert result["figures"]["model"]["error"]["mean"] == 1
    assert "1 of 5 samples hold no data where they are measured, and are left out" in result["doubts"]
    assert result["images"] == 4
    with pytest.raises(RsforgeError, match="none of 1 sample holds data") as caught:
        run(off, Empty([1.0]))
    assert caught.value.code == "RSF-D004"
