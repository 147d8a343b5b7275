"""Translations measured beside trivial baselines, recomputed by hand from the images and the network."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.engine import checkpoint
from rsforge.metrics.image import ssim
from rsforge.recipes.cyclegan import evaluate
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.baselines import fit_baselines
from rsforge.recipes.evaluation.files import FILES
from rsforge.recipes.evaluation.linear_sar import fit_linear_sar, linear_baselines
from rsforge.recipes.evaluation.table import table
from tests.worlds.commands import rsforge
from tests.worlds.evaluation import EVALUATE, PREDICTORS, predict_pairs

pytestmark = pytest.mark.usefixtures("empty_hub")


def test_figures_are_those_of_the_images(pair_world, pair_model, measured) -> None:
    told = measured()
    x, predictions = predict_pairs(pair_world, pair_model)
    assert (told["images"], told["scenes"], list(told["figures"])) == (24, 6, PREDICTORS)
    assert told["colour"] == pytest.approx(x.mean((0, 2, 3)).tolist(), abs=1e-5)
    for name, y in predictions.items():
        errors = (x - y).abs().mean((1, 2, 3))
        found = told["figures"][name]
        assert found["l1"]["mean"] == pytest.approx(float(errors.mean()), rel=1e-4)
        decibels = 10 * torch.log10(4 / (x - y).square().mean((1, 2, 3)))
        assert found["psnr_db"]["mean"] == pytest.approx(float(decibels.mean()), rel=1e-4)
        assert found["ssim"]["mean"] == pytest.approx(float(ssim(y, x).mean()), rel=1e-3)
        for figure in ("l1", "psnr_db", "ssim"):
            assert found[figure]["low"] < found[figure]["mean"] < found[figure]["high"]
        assert (found["lpips"], found["fid"], found["kid"]) == (None, None, None)
    assert len({told["figures"][name]["l1"]["mean"] for name in PREDICTORS}) == 3


def test_the_gain_is_over_the_better_baseline_image_by_image(pair_world, pair_model, measured) -> None:
    told = measured()
    x, predictions = predict_pairs(pair_world, pair_model)
    errors = {name: float((x - y).abs().mean()) for name, y in predictions.items()}
    baseline = min(PREDICTORS[1:], key=errors.__getitem__)
    gain = told["gain"]["l1"]
    assert gain["over"] == baseline
    assert gain["mean"] == pytest.approx(errors[baseline] - errors["model"], rel=1e-3)
    assert gain["low"] < gain["mean"] < gain["high"]
    better = max(PREDICTORS[1:], key=lambda name: told["figures"][name]["ssim"]["mean"])
    difference = told["figures"]["model"]["ssim"]["mean"] - told["figures"][better]["ssim"]["mean"]
    assert told["gain"]["ssim"]["over"] == better
    assert told["gain"]["ssim"]["mean"] == pytest.approx(difference, abs=1e-5)


def test_whole_scenes_are_drawn_where_five_are_known(pair_world, pair_model, tmp_path, capsys) -> None:
    few = tmp_path / "few"
    assert rsforge("data synth --kind pairs --count 8 --size 32 --output-dir {} --quiet", few) == 0
    for data, interval, doubt in (
        (pair_world, "95 % bootstrap over 6 scenes, 200 resamples", "over only 6 scenes"),
        (few, "95 % bootstrap over 8 images, 200 resamples", "2 scenes are known"),
    ):
        capsys.readouterr()
        assert rsforge(f"{EVALUATE} --json", pair_model, data) == 0
        said = capsys.readouterr()
        told = json.loads(said.out)
        assert told["interval"] == interval and doubt in told["interval_warning"]
        assert f"warning: {told['interval_warning']}" in said.err


@pytest.mark.parametrize(
    ("trained", "said"),
    [
        (None, "Mind: whether these were trained on is unknown."),
        (18, "Mind: 18 of these 24 pairs were trained on."),
        (0, ""),
    ],
)
def test_what_was_trained_on_is_told_with_the_figures(measured, tmp_path, monkeypatch, trained, said) -> None:
    opened = evaluate.open_subset
    monkeypatch.setattr(evaluate, "open_subset", lambda *a, **k: replace(opened(*a, **k), trained=trained))
    monkeypatch.setattr(files, "draw_examples", lambda path, rows: path.touch())
    told = measured("--output-dir {}", tmp_path)
    assert told["trained_on"] == json.loads((tmp_path / "evaluation.json").read_text())["trained_on"] == trained
    text = table(told)
    assert said in text and ("trained on" in text) == bool(said)


def test_the_size_of_measuring_is_told(measured, tmp_path) -> None:
    large = tmp_path / "large"
    assert rsforge("data synth --kind pairs --count 3 --size 48 --output-dir {} --quiet", large) == 0
    told, same = measured(data=large), measured()
    assert (told["image_size"], told["scaled"]) == (32, 3) and (same["image_size"], same["scaled"]) == (32, 0)
    line = "Mind: 3 of 3 pairs were scaled to 32 px; translate works at full size."
    assert line in table(told) and "scaled" not in table(same)
    assert measured("--dry-run", data=Path("synthetic"))["plan"]["scaled"] == 0


def test_too_few_resamples_are_refused(pair_model, pair_world, capsys) -> None:
    """The interval of one resample may leave out its own mean."""
    assert rsforge(f"{EVALUATE} --resamples 99", pair_model, pair_world) == 2
    assert "--resamples" in (said := capsys.readouterr().err) and "100" in said


DEAD = 99_999_999  # more than the system gives to any process


def test_leftovers_of_killed_evaluations_go_and_no_others(measured, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "draw_examples", lambda path, rows: path.touch())
    place = tmp_path / "out"
    place.mkdir()
    for name in (f".tmp-{DEAD}-evaluation.json", f".tmp-{DEAD}-my-evaluation.json"):
        (place / name).touch()
    measured("--output-dir {}", place)
    assert {path.name for path in place.iterdir()} == {
        ".lock",
        f".tmp-{DEAD}-my-evaluation.json",
        *FILES,
    }


def test_confidence_and_seed_move_the_intervals_and_nothing_else(measured) -> None:
    wide, narrow, other = measured(), measured("--confidence 0.5"), measured("--seed 7")
    for told in (narrow, other):
        assert told["figures"]["model"]["l1"]["mean"] == wide["figures"]["model"]["l1"]["mean"]
    spread = [told["figures"]["model"]["l1"] for told in (wide, narrow, other)]
    assert spread[0]["high"] - spread[0]["low"] > 1.5 * (spread[1]["high"] - spread[1]["low"])
    assert spread[0]["low"] != spread[2]["low"]
    assert measured() == wide


def test_files_hold_what_was_told(measured, tmp_path) -> None:
    place = tmp_path / "out"
    told = measured("--output-dir {}", place)
    assert {path.name for path in place.iterdir()} - {".lock"} == set(FILES)
    assert json.loads((place / "evaluation.json").read_text()) == told
    with (place / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    errors = [float(row["l1"]) for row in rows]
    assert len(rows) == 24 and len({row["scene"] for row in rows}) == 6 and {row["lpips"] for row in rows} == {""}
    assert np.mean(errors) == pytest.approx(told["figures"]["model"]["l1"]["mean"], rel=1e-4)
    by_error = [row["name"] for row in sorted(rows, key=lambda row: float(row["l1"]))]
    assert told["examples"] == {"best": by_error[0], "median": by_error[11], "worst": by_error[-1]}
    with Image.open(place / "examples.png") as picture:
        assert picture.size == (1200, 930) and np.array(picture).std() > 20


def test_an_earlier_evaluation_is_kept_unless_it_may_go(pair_model, pair_world, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(files, "draw_examples", lambda path, rows: path.touch())
    place = tmp_path / "out"
    line = f"{EVALUATE} --output-dir {{}}"
    assert rsforge(line, pair_model, pair_world, place) == 0
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    capsys.readouterr()
    assert rsforge(line, pair_model, pair_world, place) == 2
    assert "RSF-U004" in (said := capsys.readouterr().err) and "--overwrite" in said
    assert {path.name: path.stat().st_mtime_ns for path in place.iterdir()} == before
    assert rsforge(f"{line} --overwrite --seed 3", pair_model, pair_world, place) == 0
    assert (place / "evaluation.json").stat().st_mtime_ns != before["evaluation.json"]


def test_a_dry_run_writes_nothing(measured, tmp_path) -> None:
    told = measured("--output-dir {} --dry-run", tmp_path / "out")
    assert told["dry_run"] and told["plan"]["images"] == 24 and "lpips" in told["plan"]["absent"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", ["", "--dry-run"])
def test_an_output_that_no_folder_can_be_made_for_is_refused(pair_model, pair_world, capsys, more) -> None:
    """Root passes every check of /proc, which takes no folders."""
    assert rsforge(f"{EVALUATE} --output-dir {{}} {more}", pair_model, pair_world, "/proc/x") == 6
    said = capsys.readouterr().err
    assert "RSF-E008" in said and "--output-dir /proc/x" in said and "name a place" in said


def test_an_output_that_is_a_file_is_refused_before_the_work(pair_model, pair_world, tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    assert rsforge(f"{EVALUATE} --output-dir {{}}", pair_model, pair_world, tmp_path / "file") == 6
    assert "RSF-E008" in capsys.readouterr().err


def test_a_model_that_overflows_is_told_as_such(pair_model, pair_world, tmp_path, capsys) -> None:
    state = checkpoint.load(pair_model, kind="cyclegan")
    weight = torch.full_like(state["nets"]["gen_AB"]["to_image.weight"], 3e38)
    weight[::2] *= -1
    state["nets"]["gen_AB"]["to_image.weight"] = weight
    checkpoint.save(tmp_path / "broken.pt", state)
    assert rsforge(f"{EVALUATE} --output-dir {{}} --json", tmp_path / "broken.pt", pair_world, tmp_path / "out") == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "24 of 24 predictions hold values that are no numbers" in said.err
    assert told["figures"]["model"]["l1"] == {"mean": None, "low": None, "high": None}
    assert told["figures"]["copy_sar"]["l1"]["mean"] > 0
    assert "NaN" not in (tmp_path / "out" / "evaluation.json").read_text()


@pytest.fixture(scope="module")
def with_baselines(pair_model, pair_world, tmp_path_factory) -> Path:
    """A checkpoint of which the first four scenes of the world were the training images."""
    x, _ = predict_pairs(pair_world, pair_model)
    state = checkpoint.load(pair_model)
    state["baselines"] = fit_baselines(ListedImages(x[:16]))
    path = tmp_path_factory.mktemp("stored") / "best_model.pt"
    checkpoint.save(path, state)
    return path


class ListedImages:
    """A dataset of images in a list."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> torch.Tensor:
        return self.images[key[1]]

    def name(self, index: int) -> str:
        return str(index)


def test_baselines_of_the_training_images_are_used_where_they_are_stored(
    with_baselines, pair_model, pair_world, measured, capsys
) -> None:
    told = measured(checkpoint=with_baselines)
    x, _ = predict_pairs(pair_world, pair_model)
    train = x[:16]
    assert list(told["figures"]) == ["model", "copy_sar", "mean_colour", "mean_image", "median_image"]
    constants = {"mean_colour": train.mean((0, 2, 3)).view(3, 1, 1), "mean_image": train.mean(0)}
    for name, constant in constants.items():
        assert told["figures"][name]["l1"]["mean"] == pytest.approx(float((x - constant).abs().mean()), rel=1e-3)
        assert "16 training images" in told["baselines"][name]
    assert told["colour"] == pytest.approx(constants["mean_colour"].flatten().tolist(), abs=1e-5)
    assert told["mean_colour_of"] == "the training images" and told["doubts"][0].startswith("whether these")


def test_without_stored_baselines_those_of_the_measured_images_are_shown_and_named(measured, capsys) -> None:
    told = measured()
    assert told["mean_colour_of"] == "the measured images"
    assert "that of the measured images" in told["baselines"]["mean_colour"]
    assert "holds no baselines of its training images" in told["doubts"][0]
    assert told["side"] == "all" and told["side_reason"] == "the checkpoint does not say how it was trained"


def test_units_and_directions_are_told_with_the_figures(measured) -> None:
    told = measured()
    assert told["units"]["psnr_db"] == "dB" and told["units"]["l1"] == "of [-1, 1]"
    higher = [name for name, direction in told["directions"].items() if direction == "higher"]
    assert higher == ["psnr_db", "ssim"] and set(told["directions"]) == set(told["figures"]["model"])


def test_the_linear_model_of_sar_statistics_is_a_row_where_it_is_stored(
    with_baselines, pair_world, pair_model, measured, tmp_path
) -> None:
    assert "linear_sar: the checkpoint holds no linear model" in table(measured(checkpoint=with_baselines))
    x, predictions = predict_pairs(pair_world, pair_model)
    sar = predictions["copy_sar"][:, :1]
    state = checkpoint.load(with_baselines)
    state["baselines"]["linear_sar"] = fit_linear_sar(
        ListedImages(torch.cat([sar, x], 1)[:16]), sar_of=lambda item: item[:1], image_of=lambda item: item[1:]
    )
    checkpoint.save(tmp_path / "linear.pt", state)
    told = measured(checkpoint=tmp_path / "linear.pt")
    (baseline,), _ = linear_baselines(state["baselines"])
    error = (baseline.predict({"sar": sar})["image"] - x).abs().mean()
    assert told["figures"]["linear_sar"]["l1"]["mean"] == pytest.approx(float(error), rel=1e-4)
    assert "linear_sar" not in told["absent"] and "16 training pairs" in told["baselines"]["linear_sar"]


def test_published_figures_of_translators_are_compared_by_the_protocol(measured) -> None:
    found = measured("--compare-published qxs-saropt")["published"]
    assert "images 24 here, 3999 there" in found["protocol"] and not found["comparable"]
    assert not any(reason.startswith("another task") for reason in found["protocol"])
