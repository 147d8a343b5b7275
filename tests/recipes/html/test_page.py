"""The report: figures beside their baselines, curves at the right places, and nothing that a page could run."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import torch

from rsforge.data.io.image_writer import save_grid
from rsforge.recipes.html import page
from rsforge.recipes.html.page import Chart, Headline, Picture, Report, Section, Stage
from rsforge.recipes.html.svg_chart import Curve

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
    assert text.index('<th scope="row">b</th><td>2</td><td>option</td>') < text.index("1 default")
    assert text.index("1 default") < text.index('<th scope="row">a</th><td>1</td><td>default</td>')


def test_durations():
    assert [page.format_duration(s) for s in (0.04, 9.9, 12.4, 59.6, 125)] == [
        "0.0 s",
        "9.9 s",
        "12 s",
        "1 min 00 s",
        "2 min 05 s",
    ]
