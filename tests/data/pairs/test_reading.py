from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rsforge.data.io.dataset_card import write_card
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.pair import Pair
from rsforge.data.pairs.reading import find_radiometry, open_pair
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.data.views.view import PairViews, View
from rsforge.errors import RsforgeError
from tests.worlds.geotiff_pairs import geotiffs
from tests.worlds.rasters import ramp

DB = Radiometry("db", -25, 0)


def pictures(folder, sar: np.ndarray, optical: np.ndarray) -> Pair:
    for side, values in (("s1", sar), ("s2", optical)):
        (folder / side).mkdir(exist_ok=True)
        Image.fromarray(values).save(folder / side / "a.png")
    return Pair("a", folder / "s1" / "a.png", folder / "s2" / "a.png")


def refused(code: str, *args, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        open_pair(*args, **options)
    assert caught.value.code == code
    return caught.value


def test_pictures_become_unit_floats(tmp_path):
    pair = pictures(tmp_path, np.full((4, 5), 51, np.uint8), np.full((4, 5, 3), 255, np.uint8))
    sar, optical, _ = open_pair(pair, EIGHT_BIT)
    assert sar.shape == (4, 5, 1) and optical.shape == (4, 5, 3) and sar.dtype == optical.dtype == np.float32
    assert np.allclose(sar, -0.6) and np.allclose(optical, 1)


def test_decibels_keep_their_window_and_missing_pixels_are_lowest(tmp_path):
    values = np.full((8, 8, 2), -12.5, np.float32)
    values[0, 0] = 99
    sar, *_ = open_pair(geotiffs(tmp_path, values, ramp(8, 8, 3, "uint8"), nodata=99), DB)
    assert sar[0, 0].tolist() == [-1, -1] and np.allclose(sar[1:], 0)


def test_grey_optical_images_are_taken_only_when_said_so(tmp_path):
    pair = pictures(tmp_path, np.zeros((4, 4), np.uint8), np.full((4, 4), 9, np.uint8))
    assert "--allow-gray-optical" in refused("RSF-D009", pair, EIGHT_BIT).fix
    _, optical, _ = open_pair(pair, EIGHT_BIT, allow_gray_optical=True)
    assert optical.shape == (4, 4, 3) and np.ptp(optical) == 0


def test_images_that_do_not_fit_are_refused(tmp_path):
    pair = pictures(tmp_path, np.zeros((4, 4), np.uint8), np.zeros((4, 5, 3), np.uint8))
    assert "4 x 5" in refused("RSF-D009", pair, EIGHT_BIT).what
    pair = geotiffs(tmp_path, np.full((4, 4, 1), -9.0), ramp(4, 4, 12, "uint16"))
    assert "12 bands" in refused("RSF-D009", pair, DB).what


def test_values_outside_their_unit_are_refused_on_either_side(tmp_path):
    pair = pictures(tmp_path, np.ones((4, 4), np.uint8), np.ones((4, 4, 3), np.uint8))
    assert refused("RSF-D010", pair, DB).where == str(pair.sar)
    pair = geotiffs(tmp_path, np.full((4, 4, 1), -9.0), ramp(4, 4, 3, "uint16"))
    error = refused("RSF-D010", pair, DB)
    assert error.where == str(pair.optical) and "--range" in error.fix
    pair = replace(pair, views=PairViews(optical=View(span=(0.0, 47.0))))
    _, optical, _ = open_pair(pair, DB)
    assert optical.min() == -1 and optical.max() == 1


def test_an_unreadable_image_is_named(tmp_path):
    pair = pictures(tmp_path, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8))
    pair.optical.write_bytes(b"broken")
    assert str(pair.optical) in refused("RSF-D002", pair, EIGHT_BIT).what


def test_the_radiometry_of_a_set_is_declared_else_stored_else_inferred(tmp_path):
    geotiffs(tmp_path, np.full((8, 8, 1), -9.0), ramp(8, 8, 3, "uint8"))
    index = find_pairs(tmp_path)
    radiometry, sentence = find_radiometry(index)
    assert radiometry == DB and "read as db" in sentence
    write_card(tmp_path, "pairs", radiometry={"unit": "db", "low": -20.0, "high": 5.0})
    radiometry, sentence = find_radiometry(index)
    assert radiometry == Radiometry("db", -20, 5) and "dataset.json" in sentence
    assert find_radiometry(index, "db", (-30.0, 0.0))[0] == Radiometry("db", -30, 0)
    write_card(tmp_path, "pairs", radiometry="loud")
    with pytest.raises(RsforgeError) as caught:
        find_radiometry(index)
    assert caught.value.code == "RSF-D006"


def test_a_set_whose_images_are_all_broken_has_no_radiometry(tmp_path):
    pair = pictures(tmp_path, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8))
    pair.sar.write_bytes(b"broken")
    with pytest.raises(RsforgeError) as caught:
        find_radiometry(find_pairs(tmp_path))
    assert caught.value.code == "RSF-D002"


def test_pairs_that_hold_data_nowhere_together_are_refused(tmp_path):
    values = np.full((8, 8, 1), -9.0, np.float32)
    values[:, :4] = 99
    pair = geotiffs(tmp_path, values, ramp(8, 8, 3, "uint8"), nodata=99)
    open_pair(pair, DB)
    half = np.zeros((8, 8), np.uint8)
    half[:, :4] = 255
    Image.fromarray(np.dstack([ramp(8, 8, 3, "uint8"), half])).save(tmp_path / "half.png")
    halves = Pair("a", pair.sar, tmp_path / "half.png")
    assert "no pixel of a holds data in both" in refused("RSF-D002", halves, DB).what
