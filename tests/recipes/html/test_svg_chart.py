"""Charts: each point in its place, few and round labels."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from rsforge.recipes.html.svg_chart import Curve, _Scale, render_chart, round_steps


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
    assert curve.average_points() == [(2 * k + 0.5, 1.5) for k in range(80)]
    assert len(Curve("c", "training", [(k, 1.0) for k in range(161)]).average_points()) <= 80


@pytest.mark.parametrize("end", [1, 2, 7, 10, 29, 99, 1450, 123_456])
def test_steps_of_an_axis_are_few_and_round(end):
    assert 3 <= len(round_steps(end)) <= 11 and round_steps(end)[0] == 0 and round_steps(end)[-1] <= end


@pytest.mark.parametrize(("low", "high"), [(0.001, 1), (0.3, 0.9), (0.5, 0.52), (0.7, 0.7)])
def test_an_axis_always_has_levels(low, high):
    levels = _Scale([(0, low), (1, high)])._levels()
    assert 2 <= len(levels) <= 11


def test_a_curve_of_one_point_is_seen():
    curves = [Curve("training", "training", [(0, 1.0), (5, 0.5)]), Curve("held out", "held-out", [(5, 0.7)])]
    root = ElementTree.fromstring(render_chart("t", curves, x_label="step", y_label="mse"))
    (point,) = [e for e in root.iter() if e.tag.endswith("circle")]
    assert point.get("class") == "curve held-out" and float(point.get("r")) > 2
