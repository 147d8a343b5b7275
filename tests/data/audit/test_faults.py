"""What is wrong with images and pairs, and what only looks odd."""

from __future__ import annotations

import numpy as np

from rsforge.data.audit.faults import (
    KINDS,
    DataFault,
    find_duplicate_faults,
    find_image_faults,
    find_overlap_faults,
    find_shift_faults,
    find_size_faults,
    find_unit_faults,
)
from rsforge.data.audit.image_stats import measure_image
from rsforge.data.audit.registration import Shift
from rsforge.data.splits.items import SharedPixels
from tests.worlds.pairs import fields


def kinds(values, valid=None, *, gray_is_fault=False):
    valid = np.ones(values.shape[:2], bool) if valid is None else valid
    return [
        f.kind for f in find_image_faults("x", "optical", measure_image(values, valid), gray_is_fault=gray_is_fault)
    ]


def test_a_sound_image_has_no_fault():
    sar, optical = fields(64, 0)
    assert kinds(optical, gray_is_fault=True) == [] and kinds(sar[..., None]) == []


def test_what_is_wrong_is_named():
    sar, optical = fields(64, 0)
    broken = sar[..., None].astype(np.float32)
    broken[0, 0] = np.nan
    broken[0, 1] = np.inf
    assert kinds(broken) == ["non-finite"] and measure_image(broken, np.ones((64, 64), bool)).non_finite == 2
    assert kinds(np.full((8, 8, 3), 9, np.uint8), gray_is_fault=True) == ["constant"]
    assert kinds(optical, np.zeros((64, 64), bool)) == ["constant"]
    assert kinds(optical, np.arange(64)[:, None] + np.zeros(64) < 20) == ["nodata"]
    assert kinds(sar[..., None], gray_is_fault=True) == ["gray"]
    assert kinds(np.repeat(sar[..., None], 3, 2), gray_is_fault=True) == ["gray"]
    saturated = optical.copy()
    saturated[:20, :, :2] = 255
    assert kinds(saturated) == ["saturated"]
    cloud = np.clip(np.random.default_rng(0).normal(220, 3, (64, 64, 1)) + np.zeros(3), 0, 255).astype(np.uint8)
    assert kinds(cloud + np.uint8([0, 0, 1])) == ["cloudy"]


def test_nodata_with_nan_is_no_fault():
    values = fields(32, 0)[0][..., None].astype(np.float32)
    valid = np.ones((32, 32), bool)
    values[:4], valid[:4] = np.nan, False
    assert kinds(values, valid) == []


def test_sizes_are_those_of_the_folder_or_as_asked():
    sizes = {(f"a/{k}", "sar"): (64, 64) for k in range(4)} | {("a/9", "optical"): (64, 60)}
    sizes |= {(f"b/{k}", "sar"): (32, 32) for k in range(3)} | {("c/0", "sar"): (8, 8), ("c/1", "sar"): (9, 9)}
    assert [(f.item, f.modality) for f in find_size_faults(sizes, None)] == [("a/9", "optical")]
    assert len(list(find_size_faults(sizes, 64))) == 6


def test_units_are_those_of_most():
    valid, values = np.ones((8, 8), bool), np.random.default_rng(0).random((8, 8, 1), np.float32)
    images = {"a": values * -20, "b": values * -9, "c": values, "d": values * -3}
    (fault,) = find_unit_faults((name, measure_image(v, valid)) for name, v in images.items())
    assert fault.item == "c" and fault.kind == "radiometry" and "decibels" in fault.reason
    assert list(find_unit_faults([])) == []


def test_the_first_of_equal_images_is_kept():
    found = list(
        find_duplicate_faults([("a", "image", "1"), ("b", "image", "2"), ("c", "image", "1"), ("d", "sar", "2")])
    )
    assert [(f.item, f.figures["first"]) for f in found] == [("c", "a"), ("d", "b")]


def test_shifts_are_measured_relative_to_that_of_their_folder():
    shifts = {f"a/{k}": Shift(1.0, 0.5, 5.0) for k in range(6)}
    shifts |= {"a/moved": Shift(5.0, 0.5, 5.0), "a/doubtful": Shift(5.0, 0.5, 1.5), "a/vague": Shift(9.0, 9.0, 1.0)}
    shifts |= {"b/single": Shift(0.0, -4.2, 3.0)}
    found = {f.item: f for f in find_shift_faults(shifts, 2.0)}
    assert {name: f.kind for name, f in found.items()} == {
        "a/moved": "misregistered", "a/doubtful": "displaced", "b/single": "misregistered",
    }  # fmt: skip
    assert found["a/moved"].figures == {"rows": 4.0, "cols": 0.0, "pixels": 4.0, "confidence": 5.0}
    assert found["b/single"].reason == "the optical image lies 4.2 pixels further left than the SAR image"


def test_a_short_shift_needs_more_confidence():
    """Relief and towns displace parts of an image; from twice the tolerance on the confidence counts fully."""
    shifts = {"a/leans": Shift(2.5, 0.0, 5.0), "b/short": Shift(2.5, 0.0, 9.0), "c/long": Shift(4.0, 0.0, 1.7)}
    assert {f.item: f.kind for f in find_shift_faults(shifts, 2.0)} == {
        "b/short": "misregistered",
        "c/long": "misregistered",
    }
    assert {f.item for f in find_shift_faults(shifts, 1.0)} == {"a/leans", "b/short", "c/long"}


def test_a_shift_that_a_whole_folder_shares_is_one_fault():
    shifts = {f"scene/{k}": Shift(-3.0, 0.0, 5.0) for k in range(8)}
    (fault,) = find_shift_faults(shifts, 2.0)
    assert fault.item == "scene" and "8 of its 8 pairs agree" in fault.reason


def test_every_kind_has_a_remedy():
    assert all(kind.severity in ("error", "warning") and kind.title and kind.remedy for kind in KINDS.values())
    assert DataFault("cloudy", "x", "y").as_dict()["severity"] == "warning"


def test_shared_pixels_are_a_warning_with_place_and_share():
    (fault,) = find_overlap_faults([SharedPixels(("a", "b"), 0.25, (-128, 64), 0.99)])
    assert (fault.kind, fault.item, fault.severity) == ("overlap", "a", "warning")
    assert fault.reason == "with b: 25% of their pixels are the same, -128 rows and 64 columns apart"
    assert fault.figures == {"other": "b", "share": 0.25, "rows": -128, "cols": 64, "correlation": 0.99}
