"""The report: figures beside their baselines, curves at the right places, and nothing that a page could run."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import pytest
import torch

from rsforge.data.io.image_writer import save_grid
from rsforge.recipes.html import page
from rsforge.recipes.html.page import Chart, Headline, Picture, Report, Section, Stage
from rsforge.recipes.html.svg_chart import Curve, _Scale, render_chart, round_steps
from rsforge.recipes.tools import demo_report

HOSTILE = "<script>alert('&\"')</script>"


def hostile(tmp_path) -> str:
    picture = tmp_path / "x.png"
    save_grid(picture, torch.zeros(1, 3, 4, 4))
    curve = Curve(HOSTILE, "training", [(1, 0.5), (2, 0.1)])
    return page.render_page(
        Report(
            HOSTILE,
            HOSTILE,
            [Headline(HOSTILE, HOSTILE)],
            [Section(HOSTILE, HOSTILE, [Picture(picture, HOSTILE)], [Chart(HOSTILE, [curve], HOSTILE, HOSTILE)])],
            [Stage(HOSTILE, 1.0, HOSTILE, {"a": {HOSTILE: HOSTILE}}, {HOSTILE: HOSTILE})],
            {HOSTILE: [HOSTILE]},
            {"none": None, "yes": True},
        )
    )


def test_everything_is_escaped(tmp_path):
    text = hostile(tmp_path)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 15
    # Only attributes without quotes or with foreign ones could let a name out of its place.
    assert "alert('" not in text


def test_a_page_is_balanced(tmp_path):
    body = re.sub(r"<(meta|img)([^>]*)>", r"<\1\2/>", hostile(tmp_path).removeprefix("<!DOCTYPE html>"))
    root = ElementTree.fromstring(body)
    assert [child.tag for child in root] == ["head", "body"]


def test_write_leaves_the_old_page_when_it_fails(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    missing = Section("s", "t", [Picture(tmp_path / "absent.png", "")])
    with pytest.raises(FileNotFoundError):
        page.write_page(path, Report("t", "l", [], [missing], [], {}, {}))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_changed_settings_stand_before_defaults():
    text = page.render_page(
        Report("t", "l", [], [], [Stage("s", 1, "", {"a": 1, "b": 2}, {"a": "default", "b": "option"})], {}, {})
    )
    assert text.index('<th scope="row">b</th><td>2</td><td>option</td>') < text.index("1 defaults")
    assert text.index("1 defaults") < text.index('<th scope="row">a</th><td>1</td><td>default</td>')


def test_baselines_on_toy_numbers():
    told = demo_report.reconstruction_figures({"mse": 0.004, "mean_image_mse": 0.04, "ssim": 0.9})
    assert told["psnr_db"] == 30.0 and told["mean_image_psnr_db"] == 20.0
    assert page.format_share(0.004, 0.04) == "10 %"
    epochs = [
        {"epoch": 1, "val/loss": 0.6, "val/linear": 0.8},
        {"epoch": 2, "val/loss": 0.3, "val/linear": 0.75},
        {"epoch": 3, "val/loss": 0.5, "val/linear": 0.7},
    ]
    assert demo_report.denoising_figures(epochs) == {"held_out_loss": 0.3, "linear_loss": 0.75, "best_epoch": 2}
    assert page.psnr_db(0.0) == math.inf


def test_nearest_finds_copies_and_their_mirror_images():
    among = torch.rand(6, 3, 5, 5) * 2 - 1
    images = torch.stack([among[2], among[4].flip(-1), among[1] + 0.1])
    least, closest = demo_report.find_nearest(images, among)
    torch.testing.assert_close(least, torch.tensor([0.0, 0.0, 0.01]), atol=1e-5, rtol=0)
    torch.testing.assert_close(closest, torch.stack([among[2], among[4].flip(-1), among[1]]))


def test_curves_of_a_journal(tmp_path):
    rows = [
        {"step": 5, "epoch": 1, "loss": 1.0},
        {"step": 10, "epoch": 1, "loss": 0.9, "val/loss": 0.8, "val/linear": 0.7, "closed": True},
    ]
    (tmp_path / "j").write_text("\n".join(map(json.dumps, rows)) + "\n")
    training, held_out, linear = page.read_curves(tmp_path / "j", "loss", "val/loss", "val/linear")
    assert training.points == [(5, 1.0)] and held_out.points == [(10, 0.8)] and linear.points == [(10, 0.7)]
    assert linear.style == "baseline"


def test_a_chart_is_svg_with_each_point_in_its_place():
    curve = Curve("c", "training", [(0, 1.0), (50, 0.1), (100, 0.01)])
    root = ElementTree.fromstring(render_chart("t", [curve], x_label="step", y_label="mse"))
    line = next(e for e in root.iter() if e.tag.endswith("polyline"))
    (x0, y0), (x1, y1), (x2, y2) = (tuple(map(float, p.split(","))) for p in line.get("points").split())
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y1 - y0 == pytest.approx(y2 - y1, abs=0.2) and y2 > y0
    assert {"step", "mse", "0.1", "0.01", "1", "100"} <= {e.text for e in root.iter() if e.text}


def test_a_chart_leaves_out_what_no_logarithm_has():
    points = [(k, v) for k, v in enumerate([math.nan, math.inf, -1.0, 0.0, 0.5, 0.5])]
    assert "points=" in render_chart("t", [Curve("c", "training", points)], x_label="", y_label="")
    assert "nothing was recorded" in render_chart("t", [Curve("c", "training", points[:4])], x_label="", y_label="")


def test_long_curves_are_averaged_in_runs():
    curve = Curve("c", "training", [(k, 1.0 + k % 2) for k in range(160)])
    assert curve.thinned() == [(2 * k + 0.5, 1.5) for k in range(80)]
    assert len(Curve("c", "training", [(k, 1.0) for k in range(161)]).thinned()) <= 80


@pytest.mark.parametrize("end", [1, 2, 7, 10, 29, 99, 1450, 123_456])
def test_steps_of_an_axis_are_few_and_round(end):
    assert 3 <= len(round_steps(end)) <= 11 and round_steps(end)[0] == 0 and round_steps(end)[-1] <= end


@pytest.mark.parametrize(("low", "high"), [(0.001, 1), (0.3, 0.9), (0.5, 0.52), (0.7, 0.7)])
def test_an_axis_always_has_levels(low, high):
    levels = _Scale([(0, low), (1, high)])._levels()
    assert 2 <= len(levels) <= 11


def test_durations():
    assert [page.format_duration(s) for s in (0.04, 9.9, 12.4, 59.6, 125)] == [
        "0.0 s",
        "9.9 s",
        "12 s",
        "1 min 00 s",
        "2 min 05 s",
    ]
