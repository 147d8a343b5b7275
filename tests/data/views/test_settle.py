"""The view of a data set, settled from a sample of its files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rsforge.data.views import settle
from rsforge.data.views.settle import PERCENTILES, Request, settle_view
from rsforge.data.views.view import View
from rsforge.errors import RsforgeError
from tests.worlds.awkward_images import colours, decibels, geotiff, picture


def test_infrared_in_one_file_is_infrared_in_all(tmp_path):
    for k, band in enumerate((90, 0, 255)):
        values = np.dstack([colours(k), np.full((24, 24), band)]).astype(np.uint8)
        geotiff(tmp_path / f"{k}.tif", values)
    settled = settle_view(sorted(tmp_path.iterdir()), Request(), "optical")
    assert settled.view == View(alpha="band") and "called alpha" in settled.notes[0]


def test_the_order_of_polarisations_is_said_and_stored(tmp_path):
    vv = decibels(0)
    for k in range(4):
        names, bands = (("VV", "VH"), (vv, vv - 8)) if k % 2 else (("VH", "VV"), (vv - 8, vv))
        geotiff(tmp_path / f"{k}.tif", np.dstack(bands), names=names)
    geotiff(tmp_path / "5.tif", np.dstack(bands))
    settled = settle_view(sorted(tmp_path.iterdir()), Request(), "sar")
    assert settled.view.bands == ("vv", "vh")
    assert "VV, VH are the bands 2,1 in 2 of 5" in settled.notes[0]
    assert "1 of 5 sampled files do not name their bands" in settled.warnings[0]


def test_percentiles_are_of_the_whole_set_without_its_gaps(tmp_path):
    for k in range(3):
        values = (colours(k).astype(np.uint16) + 1000 * k) * 4
        values[0] = 0
        geotiff(tmp_path / f"{k}.tif", values, nodata=0)
    files = sorted(tmp_path.iterdir())
    known = np.concatenate([((colours(k).astype(float) + 1000 * k) * 4)[1:].ravel() for k in range(3)])
    settled = settle_view(files, Request(span="percentile"), "optical")
    assert settled.view.span == pytest.approx(np.percentile(known, PERCENTILES), rel=1e-4)
    assert "percentiles 2 and 98" in settled.notes[-1]
    with pytest.raises(RsforgeError, match="no image holds values"):
        settle_view([tmp_path / "none.tif"], Request(span="percentile"), "optical")


def test_what_the_card_says_holds_unless_an_option_says_otherwise():
    stored = View(bands=("3", "2", "1"), span=(0.0, 9.0), fill=0.0)
    assert settle_view([], Request(stored=stored), "optical").view == stored
    asked = Request(("red", "green", "blue"), (1.0, 2.0), 5.0, stored)
    assert settle_view([], asked, "optical").view == View(("red", "green", "blue"), (1.0, 2.0), 5.0)


def test_scales_several_pictures_and_undeclared_fill_are_told(tmp_path):
    sar = decibels(0)
    sar[:, :8] = 0
    settled = settle_view([geotiff(tmp_path / "a.tif", sar)], Request(), "sar")
    assert "0 fills 33% of a.tif" in settled.warnings[0] and "--fill 0" in settled.warnings[0]
    assert settle_view([tmp_path / "a.tif"], Request(fill=0.0), "sar").warnings == []
    scaled = geotiff(tmp_path / "b.tif", colours(0).astype(np.uint16), scale=(0.0001, -0.1))
    assert "scale 0.0001 and offset -0.1 in 1" in settle_view([scaled], Request(), "optical").notes[0]
    picture(tmp_path / "c.tif", colours(0), save_all=True, append_images=[Image.fromarray(colours(1))])
    assert "several pictures" in settle_view([tmp_path / "c.tif"], Request(), "optical").notes[0]


def test_a_range_in_another_unit_than_the_values_is_told(tmp_path):
    path = geotiff(tmp_path / "a.tif", colours(0).astype(np.uint16) * 60 + 7300)
    (warning,) = settle_view([path], Request(span=(0.0, 0.3)), "optical").warnings
    assert "100% of the values of a.tif lie outside the range 0 to 0.3" in warning
    assert settle_view([path], Request(span=(7300.0, 22000.0)), "optical").warnings == []


@pytest.mark.parametrize(
    ("names", "told"),
    [(("NIR", "Red", "Green"), True), (("a", "b", "c"), True), (("Rot", "Grün", "Blau"), False),
     (("Band 1", "Band 2", "Band 3"), False), (("bands", "bands", "bands"), False), (("B04", "B03", "B02"), False)],
)  # fmt: skip
def test_names_that_say_no_colours_are_told(tmp_path, names, told):
    path = geotiff(tmp_path / "a.tif", colours(0), names=names)
    warnings = settle_view([path], Request(), "optical").warnings
    assert [f"are called {', '.join(names)} (1 of 1" in one for one in warnings] == [True] * told
    assert settle_view([path], Request(bands=("1", "2", "3")), "optical").warnings == []


def test_edges_of_images_in_eight_bits_are_told_and_dark_ground_is_not(tmp_path):
    rows, cols = np.mgrid[:48, :48]
    for name, dark in (("turned", rows + cols < 24), ("shore", cols < 12 + 4 * np.sin(rows / 3))):
        values = colours(1, 48)
        values[dark] = 0
        geotiff(tmp_path / f"{name}.tif", values)
    (said,) = settle_view(sorted(tmp_path.glob("*.tif")), Request(), "optical").warnings
    assert "of turned.tif at its border" in said and "(1 of 2 sampled files): --fill 0 leaves it out" in said


def test_of_large_images_in_eight_bits_only_a_few_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(settle, "_SMALL", 9)
    values = colours(1)
    for k in range(12):
        values[:, :5] = 0 if k else 255
        geotiff(tmp_path / f"{k:02}.tif", values)
    warnings = settle_view(sorted(tmp_path.glob("*.tif")), Request(), "optical").warnings
    assert len(warnings) == 2 and "(3 of 12 sampled files)" in warnings[1]
