"""Lines over linear axes, with gaps."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from rsforge.recipes.html.line_chart import Line, render_lines


def draw(*lines: Line) -> ElementTree.Element:
    return ElementTree.fromstring(render_lines("a <chart>", lines, x_label="nm", y_label="W"))


def test_a_gap_is_no_line():
    root = draw(Line("truth", "truth", [[(400, 1), (500, 2)], [(900, 3), (1000, 2)]]))
    assert [len(one.get("points").split()) for one in root.iter("polyline")] == [2, 2]
    cut = draw(Line("truth", "truth", [[(400, 1), (500, 2), (600, math.nan), (700, 1)]]))
    assert len(list(cut.iter("polyline"))) == 1 and len(list(cut.iter("circle"))) == 1


def test_places_are_linear_in_both_directions():
    root = draw(Line("y", "truth", [[(0, 0), (50, 2), (100, 4)]]))
    points = [tuple(map(float, p.split(","))) for p in root.find("polyline").get("points").split()]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert abs((x1 - x0) - (x2 - x1)) < 0.2 and abs((y0 - y1) - (y1 - y2)) < 0.2 and y0 > y1


def test_axes_are_labelled_with_round_numbers():
    texts = [t.text for t in draw(Line("y", "truth", [[(418, -0.5), (2445, 3)]])).iter("text")]
    assert {"500", "1000", "1500", "2000", "nm", "W", "y"} <= set(texts) and {"0", "1", "2", "3"} <= set(texts)
    flat = [t.text for t in draw(Line("y", "truth", [[(1, 0), (2, 0)]])).iter("text")]
    assert "0" in flat


def test_a_line_of_nothing_is_said():
    assert "there are no values" in render_lines("t", [Line("y", "s", [])], x_label="", y_label="")
    assert not re.search("<svg", render_lines("t", [Line("y", "s", [[(1, math.inf)]])], x_label="", y_label=""))
