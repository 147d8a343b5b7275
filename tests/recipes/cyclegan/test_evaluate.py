"""Translations measured beside trivial baselines, recomputed by hand from the images and the network."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rsforge.engine import checkpoint
from rsforge.metrics.image import ssim
from rsforge.metrics.lpips import Lpips
from rsforge.recipes.cyclegan import evaluate
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.evaluation import learned_metrics
from rsforge.recipes.evaluation import report as evaluation_report
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.vgg16 import write_vgg16

LINE = "cyclegan evaluate --checkpoint {} --data-dir {} --batch-size 5 --device cpu --resamples 200 "
PREDICTORS = ["model", "copy_sar", "mean_colour"]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "pairs"
    assert rsforge("data synth --kind pairs --count 24 --size 32 --output-dir {} --quiet", folder) == 0
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "best_model.pt"
    write_checkpoint(path, image_size=32)
    return path


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch) -> Path:
    """A cache of torch's own, empty."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def measured(model, world, capsys):
    """What a command line with ``more`` told."""

    def run(more: str = "", *paths: object, checkpoint: Path = model, data: Path = world) -> dict:
        capsys.readouterr()
        assert rsforge(f"{LINE} {more} --json", checkpoint, data, *paths) == 0
        return json.loads(capsys.readouterr().out)

    return run


def by_hand(world: Path, model: Path) -> tuple[Tensor, dict[str, Tensor]]:
    """(optical, predictions) of the world, pair by pair."""
    net, _ = load_generator(model, torch.device("cpu"), "sar2optical")
    optical, sar = [], []
    for path in sorted(world.glob("*/s1/*.png")):
        other = path.parents[1] / "s2" / path.name.replace("_s1_", "_s2_")
        sar.append(torch.from_numpy(np.array(Image.open(path))).float()[None] / 127.5 - 1)
        optical.append(torch.from_numpy(np.array(Image.open(other))).float().permute(2, 0, 1) / 127.5 - 1)
    x, y = torch.stack(optical), torch.stack(sar)
    with torch.no_grad():
        translated = torch.cat([net(one[None]) for one in y])
    colour = x.mean((0, 2, 3)).view(1, 3, 1, 1)
    return x, {"model": translated, "copy_sar": y.repeat(1, 3, 1, 1), "mean_colour": colour.expand_as(x)}


def test_figures_are_those_of_the_images(world, model, measured) -> None:
    told = measured()
    x, predictions = by_hand(world, model)
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


def test_the_gain_is_over_the_better_baseline_image_by_image(world, model, measured) -> None:
    told = measured()
    x, predictions = by_hand(world, model)
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


def test_a_gain_above_zero_is_the_models_for_every_figure() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 40)) / 100
    good = {"l1": 0.1 + noise[0], "psnr_db": 20 + noise[0], "ssim": 0.9 + noise[0], "lpips": 0.2 + noise[0]}
    poor = {"l1": 0.3 + noise[1], "psnr_db": 12 + noise[1], "ssim": 0.4 + noise[1], "lpips": 0.6 + noise[1]}
    worse = {"l1": poor["l1"] + 1, "psnr_db": poor["psnr_db"] - 1, "ssim": poor["ssim"] - 1, "lpips": poor["lpips"] + 1}
    draws = {"resamples": 100, "confidence": 0.95, "seed": 0}
    _, gain = evaluation_report.summed({"model": good, "copy_sar": poor, "mean_colour": worse}, range(40), **draws)
    assert {found["over"] for found in gain.values()} == {"copy_sar"} and len(gain) == 4
    assert all(0 < found["low"] < found["mean"] < found["high"] for found in gain.values())
    _, loss = evaluation_report.summed({"model": worse, "copy_sar": poor, "mean_colour": good}, range(40), **draws)
    assert all(found["over"] == "mean_colour" and found["high"] < 0 for found in loss.values())


def test_whole_scenes_are_drawn_where_five_are_known(world, model, tmp_path, capsys) -> None:
    few = tmp_path / "few"
    assert rsforge("data synth --kind pairs --count 8 --size 32 --output-dir {} --quiet", few) == 0
    for data, interval, doubt in (
        (world, "95 % bootstrap over 6 scenes, 200 resamples", "over only 6 scenes"),
        (few, "95 % bootstrap over 8 images, 200 resamples", "2 scenes are known"),
    ):
        capsys.readouterr()
        assert rsforge(f"{LINE} --json", model, data) == 0
        said = capsys.readouterr()
        told = json.loads(said.out)
        assert told["interval"] == interval and doubt in told["interval_warning"]
        assert f"warning: {told['interval_warning']}" in said.err


@pytest.mark.parametrize(
    ("trained", "said"),
    [
        (None, "Mind: whether these were trained on cannot be told."),
        (18, "Mind: 18 of these 24 pairs were trained on."),
        (0, ""),
    ],
)
def test_what_was_trained_on_is_told_with_the_figures(measured, tmp_path, monkeypatch, trained, said) -> None:
    opened = evaluate.one_side
    monkeypatch.setattr(evaluate, "one_side", lambda *a, **k: replace(opened(*a, **k), trained=trained))
    monkeypatch.setattr(evaluation_report, "_draw", lambda path, shown: path.touch())
    told = measured("--output-dir {}", tmp_path)
    assert told["trained_on"] == json.loads((tmp_path / "evaluation.json").read_text())["trained_on"] == trained
    text = evaluation_report.table(told)
    assert said in text and ("trained on" in text) == bool(said)


def test_the_size_of_measuring_is_told(measured, tmp_path) -> None:
    large = tmp_path / "large"
    assert rsforge("data synth --kind pairs --count 3 --size 48 --output-dir {} --quiet", large) == 0
    told, same = measured(data=large), measured()
    assert (told["image_size"], told["scaled"]) == (32, 3) and (same["image_size"], same["scaled"]) == (32, 0)
    line = "Mind: 3 of 3 pairs were scaled to 32 px; translate works at full size."
    assert line in evaluation_report.table(told) and "scaled" not in evaluation_report.table(same)
    assert measured("--dry-run", data=Path("synthetic"))["plan"]["scaled"] == 0


def test_too_few_resamples_are_refused(model, world, capsys) -> None:
    """The interval of one resample may leave out its own mean."""
    assert rsforge(f"{LINE} --resamples 99", model, world) == 2
    assert "--resamples" in (said := capsys.readouterr().err) and "100" in said


DEAD = 99_999_999  # more than the system gives to any process


def test_leftovers_of_killed_evaluations_go_and_no_others(measured, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(evaluation_report, "_draw", lambda path, shown: path.touch())
    place = tmp_path / "out"
    place.mkdir()
    for name in (f".tmp-{DEAD}-evaluation.json", f".tmp-{DEAD}-my-evaluation.json"):
        (place / name).touch()
    measured("--output-dir {}", place)
    assert {path.name for path in place.iterdir()} == {
        ".lock",
        f".tmp-{DEAD}-my-evaluation.json",
        *evaluation_report.FILES,
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
    assert {path.name for path in place.iterdir()} - {".lock"} == set(evaluation_report.FILES)
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


def test_an_earlier_evaluation_is_kept_unless_it_may_go(model, world, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(evaluation_report, "_draw", lambda path, shown: path.touch())
    place = tmp_path / "out"
    line = f"{LINE} --output-dir {{}}"
    assert rsforge(line, model, world, place) == 0
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    capsys.readouterr()
    assert rsforge(line, model, world, place) == 2
    assert "RSF-U004" in (said := capsys.readouterr().err) and "--overwrite" in said
    assert {path.name: path.stat().st_mtime_ns for path in place.iterdir()} == before
    assert rsforge(f"{line} --overwrite --seed 3", model, world, place) == 0
    assert (place / "evaluation.json").stat().st_mtime_ns != before["evaluation.json"]


def test_a_dry_run_writes_nothing(measured, tmp_path) -> None:
    told = measured("--output-dir {} --dry-run", tmp_path / "out")
    assert told["dry_run"] and told["plan"]["images"] == 24 and "lpips" in told["plan"]["absent"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", ["", "--dry-run"])
def test_an_output_that_no_folder_can_be_made_for_is_refused(model, world, capsys, more) -> None:
    """Root passes every check of /proc, which takes no folders."""
    assert rsforge(f"{LINE} --output-dir {{}} {more}", model, world, "/proc/x") == 6
    said = capsys.readouterr().err
    assert "RSF-E008" in said and "--output-dir /proc/x" in said and "name a place" in said


def test_an_output_that_is_a_file_is_refused_before_the_work(model, world, tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    assert rsforge(f"{LINE} --output-dir {{}}", model, world, tmp_path / "file") == 6
    assert "RSF-E008" in capsys.readouterr().err


@pytest.fixture(scope="module")
def vgg(tmp_path_factory) -> Path:
    """A file of torchvision's names with drawn weights."""
    return write_vgg16(tmp_path_factory.mktemp("weights"))


def test_lpips_is_measured_with_the_weights_given_or_found(model, vgg, no_cache, measured, tmp_path) -> None:
    world = tmp_path / "world"
    assert rsforge("data synth --kind pairs --count 6 --size 32 --output-dir {} --quiet", world) == 0
    told = measured("--vgg-weights {}", vgg, data=world)
    x, predictions = by_hand(world, model)
    network = Lpips(torch.load(vgg, weights_only=True))
    for name, y in predictions.items():
        expected = float(network(y, x).mean())
        assert told["figures"][name]["lpips"]["mean"] == pytest.approx(expected, rel=1e-4) and expected > 0
    assert "lpips" in told["gain"] and list(told["absent"]) == ["fid and kid"]
    (no_cache / vgg.name).symlink_to(vgg)
    assert measured(data=world)["figures"] == told["figures"]


def test_what_is_not_measured_is_said(model, world, capsys) -> None:
    assert rsforge(f"{LINE} --json", model, world) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)["absent"]
    assert "--vgg-weights" in told["lpips"] and "--inception-weights" in told["fid and kid"]
    assert f"not measured: {told['lpips']}" in said.err and f"not measured: {told['fid and kid']}" in said.err


@pytest.mark.parametrize("option", ["--vgg-weights", "--inception-weights"])
@pytest.mark.parametrize(
    ("state", "code"), [(None, "RSF-C001"), ([1], "RSF-C003"), ({"features.0.weight": torch.zeros(1)}, "RSF-C007")]
)
def test_weights_that_cannot_be_used_are_refused(model, world, tmp_path, capsys, option, state, code) -> None:
    path = tmp_path / "weights.pth"
    if state is not None:
        torch.save(state, path)
    assert rsforge(f"{LINE} {option} {{}}", model, world, path) == 4
    said = capsys.readouterr().err
    assert code in said and str(path) in said and f"name a sound file with {option}" in said


class Crumbs(nn.Module):
    """Twelve features of uint8 pictures."""

    def forward(self, pixels: Tensor) -> Tensor:
        assert pixels.dtype == torch.uint8
        return nn.functional.adaptive_avg_pool2d(pixels.float() / 255, 2).flatten(1)


@pytest.fixture
def crumbs(monkeypatch, tmp_path) -> Path:
    monkeypatch.setattr(learned_metrics, "inception", lambda weights: Crumbs())
    path = tmp_path / "inception.pth"
    torch.save({"w": torch.zeros(1)}, path)
    return path


def test_fid_and_kid_are_those_of_the_sets_and_warn(world, model, crumbs, capsys) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    assert rsforge(f"{LINE} --inception-weights {{}} --json", model, world, crumbs) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    x, predictions = by_hand(world, model)
    for name, y in predictions.items():
        metric = FrechetInceptionDistance(Crumbs()).set_dtype(torch.float64)
        for images, real in ((x, True), (y, False)):
            metric.update(((images + 1) * 127.5).round().clamp(0, 255).byte(), real=real)
        assert told["figures"][name]["fid"] == pytest.approx(float(metric.compute()), rel=1e-3)
        assert told["figures"][name]["kid"]["std"] >= 0
    assert told["figures"]["copy_sar"]["kid"]["mean"] > 0
    for name in ("fid_warning", "kid_warning"):
        assert "24 images" in told[name] and f"warning: {told[name]}" in said.err
    assert list(told["absent"]) == ["lpips"]


def test_fid_needs_torch_fidelity(world, model, no_cache, tmp_path, monkeypatch, capsys, measured) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    path = no_cache / "pt_inception-2015-12-05-6726825d.pth"
    torch.save({}, path)
    assert "rsforge[metrics]" in measured()["absent"]["fid and kid"]
    assert rsforge(f"{LINE} --inception-weights {{}}", model, world, path) == 6
    said = capsys.readouterr().err
    assert "RSF-E006" in said and 'pip install "rsforge[metrics]"' in said


def test_one_image_has_figures_but_no_intervals(model, tmp_path, crumbs, measured) -> None:
    one = tmp_path / "one"
    assert rsforge("data synth --kind pairs --count 1 --size 32 --output-dir {} --quiet", one) == 0
    told = measured("--inception-weights {} --output-dir {}", crumbs, tmp_path / "out", data=one)
    found = told["figures"]["model"]
    assert found["l1"]["mean"] > 0 and found["l1"]["low"] is found["l1"]["high"] is None
    assert found["fid"] is None and told["absent"]["fid and kid"] == "two images are the least"
    assert list(told["examples"]) == ["best"] and (tmp_path / "out" / "examples.png").is_file()
    assert "[" not in evaluation_report.table(told).replace("[metrics]", "")


def test_a_model_that_overflows_is_told_as_such(model, world, tmp_path, capsys) -> None:
    state = checkpoint.load(model, kind="cyclegan")
    weight = torch.full_like(state["nets"]["gen_AB"]["to_image.weight"], 3e38)
    weight[::2] *= -1
    state["nets"]["gen_AB"]["to_image.weight"] = weight
    checkpoint.save(tmp_path / "broken.pt", state)
    assert rsforge(f"{LINE} --output-dir {{}} --json", tmp_path / "broken.pt", world, tmp_path / "out") == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "24 of 24 translations hold values that are no numbers" in said.err
    assert told["figures"]["model"]["l1"] == {"mean": None, "low": None, "high": None}
    assert told["figures"]["copy_sar"]["l1"]["mean"] > 0
    assert "NaN" not in (tmp_path / "out" / "evaluation.json").read_text()


def test_equal_images_are_as_near_as_eight_bits_tell() -> None:
    x = torch.zeros(2, 3, 32, 32)
    learned = learned_metrics.Learned(None, None, {})
    y = x + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1)
    found = evaluate._figures(y, x, learned)["psnr_db"]
    assert found.tolist() == pytest.approx([58.92, 26.02], abs=0.01)


def test_people_get_a_table(measured, crumbs) -> None:
    told = measured("--inception-weights {}", crumbs)
    text = evaluation_report.table(told)
    lines = {line.split("  ")[0]: line for line in text.splitlines() if line}
    assert [lines[name] for name in (*PREDICTORS, "gain", "over")]
    l1 = told["figures"]["model"]["l1"]
    assert f"{l1['mean']:.4g} [{l1['low']:.4g}, {l1['high']:.4g}]" in lines["model"]
    assert told["gain"]["l1"]["over"] in lines["over"]
    assert told["mean_colour_of"] == "the measured images" and "that of the measured images, which is harder" in text
    assert f"Mind: {told['fid_warning']}." in text and "Not measured: lpips" in text
    assert evaluation_report.table({"images": 3}) == ""


@pytest.mark.parametrize(("count", "labels"), [(1, ["best"]), (2, ["best", "worst"]), (3, ["best", "median", "worst"])])
def test_examples_are_different_images(count, labels) -> None:
    assert list(evaluation_report.examples(np.arange(count)[::-1])) == labels
    assert evaluation_report.examples(np.array([3.0, np.nan, 1.0, 2.0])) == {"best": 2, "median": 3, "worst": 1}


def test_images_of_unknown_scene_stand_for_themselves() -> None:
    groups, what, doubt = evaluation_report.groups_of([*"aabbccdde", "", ""])
    assert len(set(groups)) == 7 and groups[0] == groups[1] and what == "7 scenes" and "7 scenes" in doubt
    assert evaluation_report.groups_of(["", ""])[2].startswith("no scenes are known")
    assert evaluation_report.groups_of(list(map(str, range(30))))[2] == ""
