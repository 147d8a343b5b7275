"""EnMAP: what the XML file of a product says of its image."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.cubes.formats import open_cube
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from tests.worlds.cube_formats import Stored, write_enmap

CUBE = Stored(np.random.default_rng(0).integers(100, 9000, (6, 7, 10)).astype(np.int16), np.arange(10.0))
ALL = Window(0, 0, 6, 7)


def test_reflectance_of_level_2a_and_radiance_of_others(tmp_path):
    for level, expected in (("2A", CUBE.values / 10000), ("1C", CUBE.values * 0.002 + 0.5)):
        with open_cube(write_enmap(tmp_path / level, CUBE, level=level)) as cube:
            assert cube.wavelength_nm == pytest.approx(400 + 20 * np.arange(10))
            assert cube.fwhm_nm == pytest.approx(7 + np.arange(10) / 10)
            assert cube.read(ALL)[0] == pytest.approx(expected, rel=1e-6)
            assert "METADATA.XML beside it is read" in cube.notes[0]


@pytest.mark.parametrize(("detector", "first"), [("_VNIR", 400), ("_SWIR", 700)])
def test_images_of_one_detector_have_its_bands(tmp_path, detector, first):
    with open_cube(write_enmap(tmp_path, CUBE, level="1B", detector=detector, rows=25)) as cube:
        assert cube.wavelength_nm == pytest.approx(first + 20 * np.arange(10))


def test_metadata_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(RsforgeError, match="describes 12 bands, and there are 10"):
        open_cube(write_enmap(tmp_path / "a", CUBE, rows=12))
    for text, why in (("<a>", "no intact XML"), ("<!DOCTYPE x [<!ENTITY y 'z'>]><x/>", "declares entities")):
        image = write_enmap(tmp_path / "b", CUBE)
        next(image.parent.glob("*.XML")).write_text(text)
        with pytest.raises(RsforgeError, match=why):
            open_cube(image)
