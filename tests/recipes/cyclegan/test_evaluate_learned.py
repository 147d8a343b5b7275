"""LPIPS, FID and KID of translations: measured with weights that are there, named where they are not."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from rsforge.metrics.lpips import Lpips
from rsforge.recipes.evaluation.table import table
from tests.worlds.commands import rsforge
from tests.worlds.evaluation import EVALUATE, PREDICTORS, Crumbs, predict_pairs

pytestmark = pytest.mark.usefixtures("empty_hub")


def test_lpips_is_measured_with_the_weights_given_or_found(pair_model, vgg16, empty_hub, measured, tmp_path) -> None:
    world = tmp_path / "world"
    assert rsforge("data synth --kind pairs --count 6 --size 32 --output-dir {} --quiet", world) == 0
    told = measured("--vgg-weights {}", vgg16, data=world)
    x, predictions = predict_pairs(world, pair_model)
    network = Lpips(torch.load(vgg16, weights_only=True))
    for name, y in predictions.items():
        expected = float(network(y, x).mean())
        assert told["figures"][name]["lpips"]["mean"] == pytest.approx(expected, rel=1e-4) and expected > 0
    assert "lpips" in told["gain"] and list(told["absent"]) == ["fid and kid", "linear_sar"]
    (empty_hub / vgg16.name).symlink_to(vgg16)
    assert measured(data=world)["figures"] == told["figures"]


def test_what_is_not_measured_is_said(pair_model, pair_world, capsys) -> None:
    assert rsforge(f"{EVALUATE} --json", pair_model, pair_world) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)["absent"]
    assert "--vgg-weights" in told["lpips"] and "--inception-weights" in told["fid and kid"]
    assert f"not measured: {told['lpips']}" in said.err and f"not measured: {told['fid and kid']}" in said.err


@pytest.mark.parametrize("option", ["--vgg-weights", "--inception-weights"])
@pytest.mark.parametrize(
    ("state", "code"), [(None, "RSF-C001"), ([1], "RSF-C003"), ({"features.0.weight": torch.zeros(1)}, "RSF-C007")]
)
def test_weights_that_cannot_be_used_are_refused(pair_model, pair_world, tmp_path, capsys, option, state, code) -> None:
    path = tmp_path / "weights.pth"
    if state is not None:
        torch.save(state, path)
    assert rsforge(f"{EVALUATE} {option} {{}}", pair_model, pair_world, path) == 4
    said = capsys.readouterr().err
    assert code in said and str(path) in said and f"name an undamaged file with {option}" in said


def test_fid_and_kid_are_those_of_the_sets_and_warn(pair_world, pair_model, crumbs, capsys) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    assert rsforge(f"{EVALUATE} --inception-weights {{}} --json", pair_model, pair_world, crumbs) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    x, predictions = predict_pairs(pair_world, pair_model)
    for name, y in predictions.items():
        metric = FrechetInceptionDistance(Crumbs()).set_dtype(torch.float64)
        for images, real in ((x, True), (y, False)):
            metric.update(((images + 1) * 127.5).round().clamp(0, 255).byte(), real=real)
        assert told["figures"][name]["fid"] == pytest.approx(float(metric.compute()), rel=1e-3)
        assert told["figures"][name]["kid"]["std"] >= 0
    assert told["figures"]["copy_sar"]["kid"]["mean"] > 0
    for name in ("fid_warning", "kid_warning"):
        assert "24 images" in told[name] and f"warning: {told[name]}" in said.err
    assert list(told["absent"]) == ["lpips", "linear_sar"]


def test_fid_needs_torch_fidelity(pair_world, pair_model, empty_hub, tmp_path, monkeypatch, capsys, measured) -> None:
    import torchmetrics.image  # asks for the package when it is first imported, which another test may have done

    assert torchmetrics.image
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    path = empty_hub / "pt_inception-2015-12-05-6726825d.pth"
    torch.save({}, path)
    assert "rsforge[metrics]" in measured()["absent"]["fid and kid"]
    assert rsforge(f"{EVALUATE} --inception-weights {{}}", pair_model, pair_world, path) == 6
    said = capsys.readouterr().err
    assert "RSF-E006" in said and 'pip install "rsforge[metrics]"' in said


def test_one_image_has_figures_but_no_intervals(tmp_path, crumbs, measured) -> None:
    one = tmp_path / "one"
    assert rsforge("data synth --kind pairs --count 1 --size 32 --output-dir {} --quiet", one) == 0
    told = measured("--inception-weights {} --output-dir {}", crumbs, tmp_path / "out", data=one)
    found = told["figures"]["model"]
    assert found["l1"]["mean"] > 0 and found["l1"]["low"] is found["l1"]["high"] is None
    assert found["fid"] is None and told["absent"]["fid and kid"] == "two images are the least"
    assert list(told["examples"]) == ["best"] and (tmp_path / "out" / "examples.png").is_file()
    assert "[" not in table(told).replace("[metrics]", "")


def test_people_get_a_table(measured, crumbs) -> None:
    told = measured("--inception-weights {}", crumbs)
    text = table(told)
    lines = {line.split("  ")[0]: line for line in text.splitlines() if line}
    assert [lines[name] for name in (*PREDICTORS, "gain", "over")]
    l1 = told["figures"]["model"]["l1"]
    assert f"{l1['mean']:.4g} [{l1['low']:.4g}, {l1['high']:.4g}]" in lines["model"]
    assert told["gain"]["l1"]["over"] in lines["over"]
    assert told["mean_colour_of"] == "the measured images" and "that of the measured images, which is harder" in text
    assert f"Mind: {told['fid_warning']}." in text and "Not measured: lpips" in text
    assert table({"images": 3}) == ""
