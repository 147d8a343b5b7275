"""One view of images: bands by meaning, values in their unit, fill masked."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.views.view import PLAIN, BandsError, PairViews, View, equals_fill, open_stored, read_view
from rsforge.errors import RsforgeError
from tests.worlds.awkward_images import colours, decibels, geotiff, picture

S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


def read(path, view=PLAIN, modality="optical"):
    return read_view(path, view, modality).values


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"names": ("B02", "B03", "B04")}, ()),
        ({"names": ("blue", "green", "red")}, ()),
        ({"interp": (ColorInterp.blue, ColorInterp.green, ColorInterp.red), "photometric": "MINISBLACK"}, ()),
        ({}, ("3", "2", "1")),
        ({"names": ("b", "g", "r")}, ("r", "g", "b")),
        ({"names": ("B02", "B03", "B04")}, ("665nm", "0.56um", "490 nm")),
    ],
)
def test_blue_first_is_read_as_red_first(tmp_path, options, asked):
    path = geotiff(tmp_path / "a.tif", colours(0)[..., ::-1], **options)
    assert np.array_equal(read(path, View(bands=asked)), colours(0))


def test_twelve_bands_are_read_by_their_names(tmp_path):
    stack = np.stack([np.full((8, 8), 100 * k, np.uint16) for k in range(12)], -1)
    path = geotiff(tmp_path / "a.tif", stack, names=S2)
    assert read(path)[0, 0].tolist() == [300, 200, 100]
    assert read(path, View(bands=("B8A", "nir", "665nm")))[0, 0].tolist()[::2] == [800, 300]
    with pytest.raises(BandsError, match="no band 'B10'") as refused:
        read(path, View(bands=("B10", "B04", "B03")))
    assert "--bands" in refused.value.fix and isinstance(refused.value, UnreadableError)
    with pytest.raises(BandsError, match="2 bands, not three"):
        read(path, View(bands=("B03", "B04")))


def test_infrared_is_no_alpha_and_an_alpha_is_a_mask(tmp_path):
    nir = np.dstack([colours(0), np.full((24, 24), 90)]).astype(np.uint8)
    mask = np.dstack([colours(0), np.where(np.arange(24) < 6, 0, 255)[:, None] * np.ones((1, 24))]).astype(np.uint8)
    for make, suffix in ((geotiff, ".tif"), (picture, ".png")):
        raster = read_view(make(tmp_path / f"nir{suffix}", nir), PLAIN, "optical")
        assert raster.valid.all() and np.array_equal(raster.values, colours(0)) and raster.info.bands == 3
        raster = read_view(make(tmp_path / f"mask{suffix}", mask), PLAIN, "optical")
        assert np.array_equal(raster.valid, mask[..., 3] > 0) and np.array_equal(raster.values, colours(0))
    assert read(tmp_path / "nir.tif", View(bands=("4", "1", "2")))[0, 0, 0] == 90
    dark = geotiff(tmp_path / "dark.tif", np.dstack([colours(0), np.zeros((24, 24))]).astype(np.uint8))
    assert not read_view(dark, PLAIN, "optical").valid.any()
    assert read_view(dark, View(alpha="band"), "optical").valid.all()  # as others of the set say


def test_polarisations_have_one_order_and_angles_are_no_backscatter(tmp_path):
    vv, vh = decibels(0), decibels(0) - 8
    angle = np.full_like(vv, 38)
    for k, (names, bands) in enumerate([
        (("VV", "VH"), (vv, vh)), (("VH", "VV"), (vh, vv)), (("angle", "VH", "VV"), (angle, vh, vv)),
        (("Sigma0_VH", "Sigma0_VV"), (vh, vv)),
    ]):  # fmt: skip
        path = geotiff(tmp_path / f"{k}.tif", np.dstack(bands), names=names)
        assert np.array_equal(read(path, PLAIN, "sar"), np.dstack([vv, vh])), names
    unnamed = geotiff(tmp_path / "unnamed.tif", np.dstack([vv, vh]))
    assert np.array_equal(read(unnamed, View(bands=("vv", "vh")), "sar"), np.dstack([vv, vh]))
    other = geotiff(tmp_path / "other.tif", np.dstack([vv, vh]), names=("HH", "HV"))
    with pytest.raises(BandsError, match="no band 'vv'"):
        read(other, View(bands=("vv", "vh")), "sar")
    assert np.array_equal(read(tmp_path / "1.tif", View(as_stored=True), "sar"), np.dstack([vh, vv]))


def test_values_are_in_the_unit_that_metadata_declare(tmp_path):
    stored = np.arange(-2500, -2500 + 64, dtype=np.int16).reshape(8, 8, 1)
    path = geotiff(tmp_path / "a.tif", stored, scale=(0.01, 5.0), nodata=-2500)
    raster = read_view(path, PLAIN, "sar")
    assert raster.values.dtype == np.float32 and raster.info.dtype == "float32" and raster.info.meanings[0].scale == 1
    np.testing.assert_allclose(raster.values, stored * 0.01 + 5, rtol=1e-6)
    assert not raster.valid[0, 0] and raster.valid.sum() == 63
    masked = read_view(path, View(fill=-19.99), "sar")
    assert masked.valid.sum() == 62 and not masked.valid[0, 1]
    with open_stored(path, View(fill=-19.99), "sar") as kept:
        copied = kept.read(kept.info.whole)
    assert np.array_equal(copied.values, stored) and np.array_equal(copied.valid, masked.valid)


def test_a_fill_is_one_of_all_bands():
    values = np.array([[[0, 0], [0, 1], [np.nan, np.nan]]], np.float32)
    assert equals_fill(values, 0).tolist() == [[True, False, False]]
    assert equals_fill(values, float("nan")).tolist() == [[False, False, True]]
    assert equals_fill(np.array([[[5], [6]]], np.uint8), 5).tolist() == [[True, False]]


def test_a_view_is_stored_as_what_it_says_and_read_again():
    view = View(bands=("nir", "3", "2"), span=(0.0, 0.3), fill=-1.0, alpha="band")
    assert View.from_dict(view.as_dict()) == view and PLAIN.as_dict() == {}
    both = PairViews(View(bands=("vv", "vh")), view)
    assert PairViews.from_dict(both.as_dict()) == both
    for damaged in ({"span": "wide"}, {"colour": 1}, [1]):
        with pytest.raises(RsforgeError, match="damaged"):
            View.from_dict(damaged)
