"""Only what was measured alike stands beside an evaluation; the rest is named with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from rsforge.data.files.digests import json_digest
from rsforge.recipes.published import comparison
from rsforge.recipes.published.benchmarks import Benchmark, Metric
from rsforge.recipes.published.comparison import compare_published, list_comparison, render_comparison

ALIKE = {"images": 3999, "image_size": 256, "side": "test", "scaled": 0, "trained_on": 0}
FIGURES = {name: {"mean": value} for name, value in (("psnr_db", 15.0), ("ssim", 0.3), ("lpips", 0.6))} | {"fid": None}


def compare(facts: dict[str, Any], task: str = "sar-to-optical") -> dict[str, Any]:
    return compare_published("qxs-saropt", task, facts, FIGURES)


def test_what_was_measured_alike_stands_beside_the_figures_of_the_model():
    found = compare(ALIKE)
    assert found["protocol"] == [] and list(found["comparable"]) == ["lpips", "ssim", "psnr_db"]
    assert found["comparable"]["psnr_db"]["here"] == {"mean": 15.0}
    assert found["comparable"]["psnr_db"]["published"]["pix2pix"] == 12.33
    assert found["not_comparable"] == {"fid": ["not measured here"], "dists": ["no figure of this evaluation"]}
    lines = list(list_comparison(found))
    assert any(line.split() == ["pix2pix", "0.665", "0.203", "12.33"] for line in lines)
    assert any(line.split() == ["this", "model", "0.6", "0.3", "15"] for line in lines)
    assert "Not comparable: dists: no figure of this evaluation." in lines


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("images", 64, "images 64 here, 3999 there"),
        ("image_size", 64, "image_size 64 here, 256 there"),
        ("side", "val", "side val here, test there"),
        ("scaled", 3, "scaled images 3 here, 0 there"),
        ("trained_on", 7, "images that the model was trained on 7 here, 0 there"),
        ("trained_on", None, "images that the model was trained on unknown here, 0 there"),
    ],
)
def test_another_protocol_leaves_nothing_to_compare(fact, value, said):
    found = compare(ALIKE | {fact: value})
    assert found["protocol"] == [said] and not found["comparable"]
    assert set(found["not_comparable"]) == {"fid", "dists", "lpips", "ssim", "psnr_db"}
    lines = list(list_comparison(found))
    assert f"The protocol differs: {said}." in lines and "Nothing of it is comparable with this evaluation." in lines
    assert not any(line.startswith("pix2pix") for line in lines)


def test_figures_of_another_task_are_not_compared():
    assert compare(ALIKE, "autoencoder")["protocol"] == ["autoencoder here, sar-to-optical there"]
    assert compare(ALIKE, "")["protocol"] == ["another task here, sar-to-optical there"]


def test_a_public_division_is_known_by_the_names_of_its_pairs(monkeypatch):
    names = ["urban/a_1", "agri/b_2"]
    protocol = {"names_digest": json_digest(sorted(names))}
    metrics = {"l": Metric("mean", "lpips"), "f": Metric("another network", "fid", "another network there")}
    made = Benchmark("x", "t", "d", "s", "a source", 2020, "same scenes", protocol, metrics, {"m": {"l": 1, "f": 2}})
    monkeypatch.setattr(comparison, "read_benchmarks", lambda: {"x": made})
    found = compare_published("x", "t", {}, FIGURES, names=names[::-1])
    assert list(found["comparable"]) == ["l"]
    assert found["not_comparable"] == {"f": ["another network there"]}
    other = compare_published("x", "t", {}, FIGURES, names=["urban/a_1"])
    assert other["protocol"][0].startswith("digest of the names of the measured pairs ") and not other["comparable"]


def test_a_page_shows_it_in_plain_text():
    page = "".join(render_comparison(compare(ALIKE) | {"note": "a <b>"}))
    assert "Published figures" in page and "a &lt;b&gt;" in page and "pix2pix" in page
    assert render_comparison(None) == [] == list(list_comparison(None))
