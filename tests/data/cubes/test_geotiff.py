from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from rsforge.data.cubes.geotiff import find_geotiff, open_geotiff
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from tests.worlds.cube_formats import Stored, tag_bands, write_header, write_tif

VALUES = np.random.default_rng(0).uniform(0, 100, (6, 9, 4)).astype(np.float32)


def write(path, tags=(), names=(), dtype="float32", values=VALUES, mask=None, **more):
    profile = {"driver": "GTiff", "height": 6, "width": 9, "count": values.shape[2], "dtype": dtype, **more}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            file.write(np.moveaxis(values, 2, 0).astype(dtype))
            for k, tag in enumerate(tags, 1):
                file.update_tags(k, **tag)
            for k, name in enumerate(names, 1):
                file.set_band_description(k, name)
            if mask is not None:
                with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                    file.write_mask(mask)
    return path


def spectrum(unit, by=1.0):
    return [
        {"wavelength": str((400 + 10 * k) * by), "fwhm": str(8 * by), "bbl": str(int(k != 2)), "wavelength_units": unit}
        for k in range(4)
    ]


@pytest.mark.parametrize(("unit", "by"), [("Nanometers", 1), ("Micrometers", 0.001), ("", 1), ("", 0.001)])
def test_tags_say_wavelengths_widths_and_bad_bands(tmp_path, unit, by):
    with open_geotiff(write(tmp_path / "a.tif", spectrum(unit, by))) as cube:
        assert cube.wavelength_nm == pytest.approx([400, 410, 420, 430]) and cube.fwhm_nm == pytest.approx([8] * 4)
        assert cube.good_bands.tolist() == [True, True, False, True] and bool(cube.notes) == (unit == "")
        values, valid = cube.read(Window(1, 2, 3, 4))
        assert np.array_equal(values, VALUES[1:4, 2:6]) and valid.all() and cube.grid is None


def test_names_say_wavelengths_where_tags_do_not(tmp_path):
    names = [f"band {k} ({400 + k} Nanometers)" for k in range(4)]
    with open_geotiff(write(tmp_path / "a.tif", names=names)) as cube:
        assert cube.wavelength_nm == pytest.approx([400, 401, 402, 403]) and "names of the bands" in cube.notes[0]
    with open_geotiff(write(tmp_path / "b.tif", spectrum("nm")[:3])) as cube:
        assert cube.wavelength_nm is None


def test_nodata_grid_and_integers(tmp_path):
    values = VALUES.round()
    values[0, 0, 1] = 7
    values[values == 7] = 8
    values[0, 0, 1] = 7
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(30, 0, 366015, 0, -30, 5809965)}
    with open_geotiff(write(tmp_path / "a.tif", dtype="int16", values=values, nodata=7, **place)) as cube:
        assert cube.grid.transform == (30, 0, 366015, 0, -30, 5809965) and "33N" in cube.grid.crs
        assert np.argwhere(~cube.read(Window(0, 0, 6, 9))[1]).tolist() == [[0, 0]]


def test_the_mask_in_the_file_holds(tmp_path):
    mask, values = np.ones((6, 9), bool), VALUES.copy()
    mask[2, 3] = False
    values[4, 4, 1] = np.nan
    with open_geotiff(write(tmp_path / "a.tif", values=values, mask=mask)) as cube:
        assert np.argwhere(~cube.read(Window(0, 0, 6, 9))[1]).tolist() == [[2, 3], [4, 4]]
        keep = np.array([True, False, True, True])
        assert np.argwhere(~cube.read(Window(0, 0, 6, 9), keep)[1]).tolist() == [[2, 3]]


def test_bands_without_values_are_told_from_pixels_without(tmp_path):
    values = np.full((6, 9, 4), -1, np.float32)
    with open_geotiff(write(tmp_path / "a.tif", values=values, nodata=-1)) as cube:
        assert not cube.find_empty_bands().any()
    values[..., [0, 2, 3]] = VALUES[..., [0, 2, 3]]
    values[:3] = -1
    with open_geotiff(write(tmp_path / "b.tif", values=values, nodata=-1)) as cube:
        assert (
            cube.find_empty_bands().tolist()
            == cube.select_bands([]).__invert__().tolist()
            == [False, True, False, False]
        )
        assert cube.wavelength_nm is None


def test_damage_and_other_formats_are_refused(tmp_path):
    path = write(tmp_path / "a.tif", compress="deflate")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UnreadableError):
        open_geotiff(path).read(Window(0, 0, 6, 9))
    path.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    with pytest.raises(UnreadableError):
        open_geotiff(path)
    with pytest.raises(UnreadableError, match="complex"):
        open_geotiff(write(tmp_path / "c.tif", dtype="complex64"))


CUBE = Stored(VALUES, 400 + 10 * np.arange(4.0))


def test_a_header_beside_it_says_what_the_file_does_not(tmp_path):
    path = write_tif(tmp_path / "a.tif", CUBE, fields=False)
    header = write_header(tmp_path / "a.hdr", replace(CUBE, scale=0.5, bad=(1,)))
    with open_geotiff(path) as cube:
        assert cube.wavelength_nm == pytest.approx(CUBE.waves) and cube.good_bands.tolist() == [True, False, True, True]
        assert cube.read(Window(0, 0, 6, 9))[0] == pytest.approx(VALUES * 0.5)
    assert find_geotiff(header) == path
    header.write_text(header.read_text().replace("lines = 6", "lines = 7"))
    with open_geotiff(path) as cube:
        assert cube.wavelength_nm is None and "a.hdr is of 7 x 9 x 4" in cube.notes[0]
    header.with_suffix(".img").write_bytes(b"own values")
    with open_geotiff(path) as cube:
        assert find_geotiff(header) is None and not cube.notes


def test_a_scale_is_applied_once(tmp_path):
    """GDAL copies the attributes of netCDF as tags, and what an ENVI header says may stand in both."""
    path = write_tif(tmp_path / "a.tif", replace(CUBE, scale=0.5))
    tag_bands(path, lambda k: {"scale_factor": "0.5", "add_offset": "3", "reflectance_scale_factor": "2"})
    write_header(tmp_path / "a.hdr", replace(CUBE, scale=0.5))
    with open_geotiff(path) as cube:
        assert cube.read(Window(0, 0, 6, 9))[0] == pytest.approx(VALUES * 0.5)


def test_what_contradicts_itself_is_refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", CUBE)
    tag_bands(path, lambda k: {"wavelength": str(400 + 10 * k), "wavelength_units": "nm"})
    tag_bands(path, lambda k: {"CENTRAL_WAVELENGTH_UM": str(0.5 + 0.01 * k)}, "IMAGERY")
    with pytest.raises(UnreadableError, match="band 1 is at 400 nm by the tags of the bands, and at 500 nm by"):
        open_geotiff(path)
    units = ("nm", "um", "nm", "um")
    mixed = write_tif(tmp_path / "b.tif", CUBE)
    tag_bands(mixed, lambda k: {"wavelength": "1", "wavelength_units": units[k]})
    with pytest.raises(UnreadableError, match="their units differ from band to band: nm, um"):
        open_geotiff(mixed)
    other = tag_bands(write_tif(tmp_path / "c.tif", CUBE), lambda k: {"wavelength": str(400 + 10 * k), "haze": "1"})
    write_header(tmp_path / "c.hdr", replace(CUBE, waves=CUBE.waves + 100))
    with pytest.raises(UnreadableError, match=r"band 1 is at 400 nm by c.tif, and at 500 nm by c.hdr"):
        open_geotiff(other)
    (tmp_path / "c.hdr").unlink()
    with open_geotiff(other) as cube:
        assert "its header also says haze, which is not used" in cube.notes
