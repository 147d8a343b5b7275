"""A value of one unit is never taken as one of another without a word."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.scenes.landsat_scene import BandRequest, open_landsat
from rsforge.data.scenes.landsat_units import are_same, check_values, kind_of
from rsforge.errors import RsforgeError
from tests.worlds.spectral_checkpoints import draw_landsat, write_landsat

LOW, HIGH = np.array([1.0]), np.array([9.0])


def check(path, unit="radiance", *, stated=False):
    with open_landsat(path, BandRequest(3)) as scene:
        return check_values(scene, unit, LOW, HIGH, stated=stated)


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("µW cm⁻² nm⁻¹ sr⁻¹", "radiance"), ("uW/cm^2/nm/sr", "radiance"), ("W m-2 sr-1 um-1", "radiance"),
        ("Radiance", "radiance"), ("surface reflectance", "reflectance"), ("1", "reflectance"), ("", ""), ("K", ""),
    ],
)  # fmt: skip
def test_kinds_of_units(unit, kind):
    assert kind_of(unit) == kind


def test_the_same_unit_may_be_written_otherwise():
    assert are_same("µW cm^-2 nm^-1 sr^-1", "uW cm⁻² nm⁻¹ sr⁻¹") and are_same("radiance", "uW/cm^2/nm/sr")
    assert not are_same("W m-2 sr-1 um-1", "uW cm-2 nm-1 sr-1") and not are_same("radiance", "reflectance")


def test_values_of_the_same_unit_need_no_word(tmp_path):
    assert check(write_landsat(tmp_path / "a.tif", draw_landsat(20, 20))) == []


def test_another_unit_is_refused_unless_stated(tmp_path):
    path = write_landsat(tmp_path / "a.tif", draw_landsat(20, 20), tags={"units": "reflectance"})
    with pytest.raises(RsforgeError) as caught:
        check(path)
    error = caught.value
    assert error.code == "RSF-D010" and error.found == "reflectance in the file, radiance in the training"
    assert "--values training" in error.fix
    assert any("taken as those of the training" in note for note in check(path, stated=True))


@pytest.mark.parametrize(("factor", "clause"), [(0.02, "below"), (10.0, "above")])
def test_an_unknown_unit_is_refused_where_values_cannot_be_in_that_of_the_training(tmp_path, factor, clause):
    path = write_landsat(tmp_path / "a.tif", draw_landsat(20, 20) * np.float32(factor), tags={})
    with pytest.raises(RsforgeError) as caught:
        check(path)
    assert caught.value.code == "RSF-D010" and clause in caught.value.what
    assert len(check(path, stated=True)) == 2


def test_an_unknown_unit_of_credible_values_is_said(tmp_path):
    path = write_landsat(tmp_path / "a.tif", draw_landsat(20, 20), tags={})
    assert check(path) == [
        "a.tif: it states no unit, the training radiance; its values are taken as those of the training"
    ]
    assert check(path, "")[0].startswith("a.tif: it states no unit, the training none either")


def test_much_negative_radiance_is_refused_and_reflectance_said(tmp_path):
    values = draw_landsat(20, 20)
    values[:3] *= -1
    with pytest.raises(RsforgeError) as caught:
        check(write_landsat(tmp_path / "a.tif", values))
    assert caught.value.code == "RSF-D010" and "15.0% of its values are negative" in caught.value.found
    path = write_landsat(tmp_path / "b.tif", values, tags={"units": "reflectance"})
    assert "15.0% of its values are negative" in check(path, "reflectance")[0]


@pytest.mark.parametrize("unit", ["reflectance", ""])
def test_values_that_are_mostly_negative_are_refused_unless_stated(tmp_path, unit):
    values = draw_landsat(20, 20)
    values[:11] *= -1
    path = write_landsat(tmp_path / "a.tif", values, tags={"units": unit} if unit else {})
    with pytest.raises(RsforgeError) as caught:
        check(path, unit)
    assert caught.value.code == "RSF-D010" and "55.0% of its values are negative" in caught.value.found
    assert "--values training" in caught.value.fix
    assert "55.0% of its values are negative" in check(path, unit, stated=True)[-1]


def test_a_scene_without_data_has_no_unit_to_doubt(tmp_path):
    assert check(write_landsat(tmp_path / "a.tif", np.full((8, 8, 3), np.nan, np.float32), tags={})) == []
