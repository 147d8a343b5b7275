"""What is wrong with images and pairs, and what only looks odd."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.audit import inspect_items as examining
from rsforge.data.audit.faults import (
    KINDS,
    Fault,
    cloudy,
    duplicate_faults,
    image_faults,
    see,
    shift_faults,
    size_faults,
    unit_faults,
)
from rsforge.data.audit.inspect_items import examine, read_some
from rsforge.data.audit.registration import Shift
from rsforge.data.audit.thumbnails import overlay, png, thumbnail
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.splits.items import items_of
from tests.worlds.cube_patches import write_patches
from tests.worlds.pairs import fields, load, save, write_pairs


def kinds(values, valid=None, *, gray_is_fault=False):
    valid = np.ones(values.shape[:2], bool) if valid is None else valid
    return [f.kind for f in image_faults("x", "optical", see(values, valid), gray_is_fault=gray_is_fault)]


def test_a_sound_image_has_no_fault():
    sar, optical = fields(64, 0)
    assert kinds(optical, gray_is_fault=True) == [] and kinds(sar[..., None]) == []


def test_what_is_wrong_is_named():
    sar, optical = fields(64, 0)
    broken = sar[..., None].astype(np.float32)
    broken[0, 0] = np.nan
    broken[0, 1] = np.inf
    assert kinds(broken) == ["non-finite"] and see(broken, np.ones((64, 64), bool)).non_finite == 2
    assert kinds(np.full((8, 8, 3), 9, np.uint8), gray_is_fault=True) == ["constant"]
    assert kinds(optical, np.zeros((64, 64), bool)) == ["constant"]
    assert kinds(optical, np.arange(64)[:, None] + np.zeros(64) < 20) == ["nodata"]
    assert kinds(sar[..., None], gray_is_fault=True) == ["gray"]
    assert kinds(np.repeat(sar[..., None], 3, 2), gray_is_fault=True) == ["gray"]
    burnt = optical.copy()
    burnt[:20, :, :2] = 255
    assert kinds(burnt) == ["saturated"]


def test_nodata_with_nan_is_no_fault():
    values = fields(32, 0)[0][..., None].astype(np.float32)
    valid = np.ones((32, 32), bool)
    values[:4], valid[:4] = np.nan, False
    assert kinds(values, valid) == []


def test_figures_are_of_what_holds_data():
    values = np.array([[[1.0, 10], [3, 30]], [[5, 50], [99, 990]]], np.float32)
    seen = see(values, np.array([[True, True], [True, False]]))
    assert seen.whole == pytest.approx((1, 50, 16.5, np.std([1, 3, 5, 10, 30, 50])))
    assert seen.spans[0][:3] == (1, 5, 3) and seen.spans[1][:3] == (10, 50, 30)
    assert seen.valid == 0.75 and seen.dtype == "float32"


def test_clouds_are_bright_white_and_smooth():
    rng = np.random.default_rng(0)
    cloud = np.clip(220 + rng.normal(0, 3, (64, 64, 1)) + np.zeros(3), 0, 255).astype(np.uint8)
    assert cloudy(cloud) == 1 and kinds(cloud + np.uint8([0, 0, 1])) == ["cloudy"]
    assert cloudy(np.where(rng.random((64, 64, 1)) < 0.5, cloud, 40).astype(np.uint8)) < 0.05
    assert cloudy((cloud * [1.0, 0.7, 0.5]).astype(np.uint8)) == 0
    assert cloudy(cloud.astype(np.uint16)) == 0


def test_sizes_are_those_of_the_folder_or_as_asked():
    sizes = {(f"a/{k}", "sar"): (64, 64) for k in range(4)} | {("a/9", "optical"): (64, 60)}
    sizes |= {(f"b/{k}", "sar"): (32, 32) for k in range(3)} | {("c/0", "sar"): (8, 8), ("c/1", "sar"): (9, 9)}
    assert [(f.item, f.side) for f in size_faults(sizes, None)] == [("a/9", "optical")]
    assert len(list(size_faults(sizes, 64))) == 6


def test_units_are_those_of_most():
    valid, values = np.ones((8, 8), bool), np.random.default_rng(0).random((8, 8, 1), np.float32)
    looks = {"a": values * -20, "b": values * -9, "c": values, "d": values * -3}
    (fault,) = unit_faults((name, see(v, valid)) for name, v in looks.items())
    assert fault.item == "c" and fault.kind == "radiometry" and "decibels" in fault.reason
    assert list(unit_faults([])) == []


def test_the_first_of_twins_is_kept():
    found = list(duplicate_faults([("a", "image", "1"), ("b", "image", "2"), ("c", "image", "1"), ("d", "sar", "2")]))
    assert [(f.item, f.figures["first"]) for f in found] == [("c", "a"), ("d", "b")]


def test_shifts_are_told_beside_what_a_folder_shares():
    shifts = {f"a/{k}": Shift(1.0, 0.5, 5.0) for k in range(6)}
    shifts |= {"a/moved": Shift(5.0, 0.5, 5.0), "a/doubtful": Shift(5.0, 0.5, 1.5), "a/vague": Shift(9.0, 9.0, 1.0)}
    shifts |= {"b/lone": Shift(0.0, -4.2, 3.0)}
    found = {f.item: f for f in shift_faults(shifts, 2.0)}
    assert {name: f.kind for name, f in found.items()} == {
        "a/moved": "misregistered", "a/doubtful": "displaced", "b/lone": "misregistered",
    }  # fmt: skip
    assert found["a/moved"].figures == {"rows": 4.0, "cols": 0.0, "pixels": 4.0, "confidence": 5.0}
    assert found["b/lone"].reason == "the optical image lies 4.2 pixels further left than the SAR image"


def test_a_short_shift_has_to_be_surer():
    """Relief and towns lean by a few pixels of their own: twice the tolerance is believed as it is."""
    shifts = {"a/leans": Shift(2.5, 0.0, 5.0), "b/short": Shift(2.5, 0.0, 9.0), "c/long": Shift(4.0, 0.0, 1.7)}
    assert {f.item: f.kind for f in shift_faults(shifts, 2.0)} == {
        "b/short": "misregistered",
        "c/long": "misregistered",
    }
    assert {f.item for f in shift_faults(shifts, 1.0)} == {"a/leans", "b/short", "c/long"}


def test_a_shift_that_a_whole_folder_shares_is_one_fault():
    shifts = {f"scene/{k}": Shift(-3.0, 0.0, 5.0) for k in range(8)}
    (fault,) = shift_faults(shifts, 2.0)
    assert fault.item == "scene" and "8 of its 8 pairs agree" in fault.reason


def test_every_kind_has_a_remedy():
    assert all(kind.severity in ("error", "warning") and kind.title and kind.remedy for kind in KINDS.values())
    assert Fault("cloudy", "x", "y").as_dict()["severity"] == "warning"


def test_pairs_are_opened_once_and_judged(tmp_path):
    write_pairs(tmp_path, count=5)
    sar = sorted((tmp_path / "fields" / "s1").iterdir())
    optical = sorted((tmp_path / "fields" / "s2").iterdir())
    sar[0].write_bytes(sar[0].read_bytes()[:500])
    save(optical[1], load(optical[1])[:50])
    save(optical[2], load(optical[2])[..., 0])
    save(optical[3], np.roll(load(optical[3]), 4, 0))
    exams = list(examine(items_of(tmp_path), radiometry=Radiometry("db", -25, 0), gray=False))
    assert [[f.kind for f in e.faults] for e in exams] == [
        ["corrupt"], ["radiometry", "size"], ["gray", "radiometry"], ["radiometry"], ["radiometry"],
    ]  # fmt: skip
    assert exams[0].seen[0] is None and exams[1].shift is None
    assert exams[3].shift.rows == pytest.approx(4, abs=0.5) and exams[4].shift.length < 0.5


def test_patches_are_judged_row_by_row(tmp_path):
    import h5py

    write_patches(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["aviris"][1, 2, 2] = np.nan
        file["aviris"][2] = 0
    exams = list(examine(items_of(tmp_path), radiometry=None, gray=True))
    assert [[f.kind for f in e.faults] for e in exams] == [[], ["non-finite"], ["constant"], []]


def test_of_a_large_image_the_middle_is_read(tmp_path, monkeypatch):
    values = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    path = save(tmp_path / "large.png", values)
    monkeypatch.setattr(examining, "MOST_BYTES", 256)
    np.testing.assert_array_equal(read_some(path).values[..., 0], values[24:40, 24:40])


def test_thumbnails_of_every_type():
    sar, optical = fields(200, 0)
    assert thumbnail(optical).shape == (128, 128, 3) and thumbnail(sar[:100, :50, None]).shape == (100, 50, 3)
    decibels = np.where(np.eye(64) > 0, np.nan, -20 + 15 * np.random.default_rng(0).random((64, 64)))
    shown = thumbnail(decibels[..., None])
    assert shown.min() == 0 and shown.max() == 255
    assert thumbnail(np.full((9, 9, 12), np.nan)).max() == 0
    both = overlay(thumbnail(sar[..., None]), thumbnail(optical))
    assert both[..., 2].max() == 0 and png(both).startswith(b"\x89PNG")
