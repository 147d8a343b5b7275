"""Histograms: bars in proportion, between labelled ends."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from rsforge.recipes.html.histogram import render_histogram


def test_bars_are_as_high_as_their_values_are_frequent():
    root = ElementTree.fromstring(render_histogram("values of a < b", [1, 4, 2], -5, 5))
    bars = [float(bar.get("height")) for bar in root.iter("rect")]
    assert [bar / bars[1] for bar in bars] == pytest.approx([0.25, 1, 0.5], abs=0.01)
    assert [text.text for text in root.iter("text")] == ["-5", "values of a < b", "5"]


def test_no_values_are_said():
    assert "there are no values" in render_histogram("t", [0, 0], 0, 1) and "no values" in render_histogram(
        "t", [], 0, 1
    )
