"""PRISMA: two cubes of one scene, with bands in the middle, and scales and wavelengths in attributes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from rsforge.data.cubes.formats import open_cube
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from tests.worlds.cube_formats import write_prisma

WAVES = np.linspace(410, 970, 6), np.linspace(945, 2490, 8)
RNG = np.random.default_rng(0)
VNIR, SWIR = (RNG.integers(1, 60000, (5, 7, len(nm))).astype(np.uint16) for nm in WAVES)


@pytest.mark.parametrize("idle", [False, True])
def test_two_detectors_are_one_cube_of_reflectance(tmp_path, idle):
    with open_cube(write_prisma(tmp_path / "PRS_L2D_STD_a.he5", VNIR, SWIR, WAVES, idle=idle)) as cube:
        assert (cube.height, cube.width, cube.bands) == (5, 7, 14) and "PRISMA" in cube.notes[0]
        assert cube.wavelength_nm == pytest.approx(np.concatenate(WAVES)) and cube.fwhm_nm == pytest.approx([11.5] * 14)
        values, valid = cube.read(Window(1, 2, 3, 4))
    expected = np.concatenate([VNIR, SWIR], axis=2)[1:4, 2:6] / 65535 * 1.4 - 0.1
    assert values == pytest.approx(expected, abs=1e-6) and valid.all()


def test_one_detector_may_be_named(tmp_path):
    """Scaled as ever, with its bands in the order of a table where one is given."""
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, WAVES)
    name, expected = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/SWIR_Cube", SWIR[1:4, 2:6] / 65535 * 1.4 - 0.1
    with open_cube(path, variable=name) as cube:
        assert cube.wavelength_nm == pytest.approx(WAVES[1])
        assert cube.read(Window(1, 2, 3, 4))[0] == pytest.approx(expected, abs=1e-6)
    (tmp_path / "w.txt").write_text("\n".join(f"{w:.2f}" for w in WAVES[1][::-1]))
    for variable in (name, None):
        with open_cube(path, variable=variable, wavelengths=tmp_path / "w.txt") as cube:
            assert cube.wavelength_nm == pytest.approx(WAVES[1][::-1], abs=0.01)
            assert cube.read(Window(1, 2, 3, 4))[0] == pytest.approx(expected[..., ::-1], abs=1e-6)


def test_radiance_of_level_1_has_a_factor_and_an_offset(tmp_path):
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, WAVES)
    with h5py.File(path, "r+") as file:
        for name in ("Vnir", "Swir"):
            del file.attrs[f"L2Scale{name}Min"]
            file.attrs[f"ScaleFactor_{name}"], file.attrs[f"Offset_{name}"] = 100.0, 2.0
    with open_cube(path) as cube:
        assert cube.unit.startswith("W m-2")
        assert cube.read(Window(0, 0, 1, 1))[0][0, 0, 0] == pytest.approx(VNIR[0, 0, 0] / 100 - 2, rel=1e-6)


@pytest.mark.parametrize(
    ("attribute", "value", "why"),
    [
        ("L2ScaleSwirMin", None, "no range of the values of SWIR_Cube"),
        ("List_Cw_Vnir", np.array([400.0, 500.0]), "2 wavelengths in use"),
    ],
)
def test_products_that_lack_something_are_refused(tmp_path, attribute, value, why):
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, WAVES)
    with h5py.File(path, "r+") as file:
        del file.attrs[attribute]
        if value is not None:
            file.attrs[attribute] = value
    with pytest.raises(RsforgeError, match=why):
        open_cube(path)
