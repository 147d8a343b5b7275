from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from rsforge.data.cubes.envi import open_envi, read_header, read_map_info
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

VALUES = np.random.default_rng(0).uniform(1, 100, (5, 7, 3))  # lines, samples, bands
FILE_AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}


def write(path: Path, *, interleave="bsq", kind=4, order=0, offset=0, more="", bands=3) -> Path:
    stored = VALUES.transpose(FILE_AXES[interleave]).astype(np.dtype(TYPES[kind]).newbyteorder("<>"[order]))
    path.write_bytes(bytes(offset) + stored.tobytes())
    header = path.with_name(path.name + ".hdr")
    header.write_text(
        f"ENVI\ndescription = {{\n a file = of ours}}\nsamples = 7\nlines   = 5\nbands = {bands}\n"
        f"header offset = {offset}\ndata type = {kind}\ninterleave = {interleave.upper()}\nbyte order = {order}\n{more}"
    )
    return path


def reason(path: Path) -> str:
    with pytest.raises(UnreadableError) as caught:
        open_envi(path)
    return str(caught.value)


@pytest.mark.parametrize("interleave", FILE_AXES)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("order", [0, 1])
def test_every_layout_reads_the_same_window(tmp_path, interleave, kind, order):
    path = write(tmp_path / "cube", interleave=interleave, kind=kind, order=order, offset=order * 13)
    cube = open_envi(path)
    assert (cube.height, cube.width, cube.bands) == (5, 7, 3)
    values, valid = cube.read(Window(1, 2, 3, 4))
    assert values.dtype == np.float32 and valid.all()
    assert np.array_equal(values, VALUES[1:4, 2:6].astype(TYPES[kind]).astype(np.float32))
    with pytest.raises(IndexError):
        cube.read(Window(3, 0, 3, 3))


@pytest.mark.parametrize("interleave", FILE_AXES)
def test_gdal_reads_the_same(tmp_path, interleave):
    path = write(tmp_path / "cube.img", interleave=interleave)
    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, driver="ENVI") as other:
            theirs = np.moveaxis(other.read(), 0, 2)
    assert np.array_equal(open_envi(path).read(Window(0, 0, 5, 7))[0], theirs)


def test_header_or_numbers_may_be_given(tmp_path):
    write(tmp_path / "a_img")
    write(tmp_path / "b.dat")
    (tmp_path / "b.dat.hdr").rename(tmp_path / "b.hdr")
    for name in ("a_img", "a_img.hdr", "b.dat", "b.hdr"):
        assert open_envi(tmp_path / name).path.suffix != ".hdr"
    (tmp_path / "a_img").unlink()
    assert "no file of numbers lies beside a_img.hdr" in reason(tmp_path / "a_img.hdr")
    (tmp_path / "b.hdr").unlink()
    assert "no header lies beside it" in reason(tmp_path / "b.dat")


def test_wavelengths_widths_and_bad_bands(tmp_path):
    more = "wavelength units = Micrometers\nwavelength = {0.4,\n 0.5, 0.6}\nfwhm = { .01, .02,.01 }\nbbl = {1, 0, 1}\n"
    cube = open_envi(write(tmp_path / "cube", more=more))
    assert cube.wavelength_nm == pytest.approx([400, 500, 600]) and cube.fwhm_nm == pytest.approx([10, 20, 10])
    assert cube.good_bands.tolist() == [True, False, True] and cube.notes == ()


def test_wavelengths_in_the_names_of_bands(tmp_path):
    cube = open_envi(
        write(tmp_path / "cube", more="band names = {\n376.44 Nanometers,\n381.45 Nanometers, 386.4 nm}\n")
    )
    assert cube.wavelength_nm == pytest.approx([376.44, 381.45, 386.4]) and "names of the bands" in cube.notes[0]


@pytest.mark.parametrize("more", ["", "band names = {a, b, c}\n"])
def test_no_wavelengths_are_no_guess(tmp_path, more):
    assert open_envi(write(tmp_path / "cube", more=more)).wavelength_nm is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("wavelength = {400, 500}\n", "there are 2 for 3 bands"),
        ("wavelength = {x, y, z}\n", "'x, y, z' are no numbers"),
        ("wavelength = {400, 500, 600}\nwavelength units = Micrometers\n", "no optical sensor measures at 400 to 600"),
        ("wavelength = {.4, .5, .6}\nwavelength units = nm\n", "no optical sensor measures at 0.4 to 0.6"),
        ("bbl = {1, 0}\n", "its bbl marks 2 bands, and there are 3"),
        ("bbl = {1, maybe, 0}\n", "not 1 or 0 for each band"),
        ("bad bands = {2}\n", "its bad bands marks 1 bands, and there are 3"),
        ("wavelengt = {400, 500, 600}\n", "'wavelengt', which is not understood: it is spelled 'wavelength'"),
        ("reflectance scal factor = 100\n", "it is spelled 'reflectance scale factor'"),
        ("reflectance scale factor = 0\n", "by which nothing scales"),
    ],
)
def test_what_a_header_says_of_bands_is_right_or_refused(tmp_path, more, why):
    assert why in reason(write(tmp_path / "cube", more=more))


def test_what_nobody_understands_is_named_in_one_line(tmp_path):
    cube = open_envi(write(tmp_path / "cube", more="colour of sky = blue\nsensor type = X\nhaze = 3\n"))
    assert cube.notes == ("its header also says colour of sky, haze, which is not used",)


def test_nodata_and_scale(tmp_path):
    path = write(tmp_path / "cube", more="data ignore value = -9999\nreflectance scale factor = 100\n")
    stored = np.memmap(path, "<f4", "r+", shape=(3, 5, 7))
    stored[0, 0, 0], stored[2, 1, 1] = -9999, np.nan
    stored.flush()
    cube = open_envi(path)
    values, valid = cube.read(Window(0, 0, 5, 7))
    assert sorted(np.argwhere(~valid).tolist()) == [[0, 0], [1, 1]]
    assert values[4, 6] == pytest.approx(VALUES[4, 6] / 100)
    kept, valid = cube.read(Window(0, 0, 5, 7), np.array([False, True, False]))
    assert kept.shape == (5, 7, 1) and valid.all()


@pytest.mark.parametrize("rotation", ["", ", rotation=30", ",rotation=-12.5"])
def test_the_grid_is_where_gdal_puts_it(tmp_path, rotation):
    more = f"map info = {{UTM, 1, 1, 353128.75, 3813729.5, 15, 12, 11, North,WGS-84{rotation}}}\n"
    path = write(tmp_path / "cube", more=more)
    with rasterio.open(path, driver="ENVI") as other:
        assert open_envi(path).grid.transform == pytest.approx(tuple(other.transform)[:6])


def test_the_reference_pixel_need_not_be_the_first(tmp_path):
    more = 'map info = {Arbitrary, 3, 2, 100, 50, 10, 10}\ncoordinate system string = {LOCAL_CS["x"]}\n'
    grid = open_envi(write(tmp_path / "cube", more=more)).grid
    assert grid.transform == pytest.approx((10, 0, 80, 0, -10, 60)) and grid.crs == 'LOCAL_CS["x"]'
    assert open_envi(write(tmp_path / "plain", more="map info = {UTM, 1}\n")).grid is None


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("ENVI", "NOPE", "first word is not ENVI"),
        ("lines   = 5", "lines = five", "lines = 'five'"),
        ("lines   = 5", "lines = 0", "has no pixels"),
        ("lines   = 5", "lines = 6", "has 420 bytes, its header declares 504"),
        ("lines   = 5", "lines = 999999999999", "its header declares"),
        ("samples = 7", "", "samples = ''"),
        ("data type = 4", "data type = 6", "complex"),
        ("data type = 4", "data type = 7", "not one of"),
        ("= BSQ", "= xyz", "interleave is 'xyz'"),
    ],
)
def test_headers_that_do_not_hold_are_refused(tmp_path, old, new, why):
    path = write(tmp_path / "cube")
    header = tmp_path / "cube.hdr"
    header.write_text(header.read_text().replace(old, new))
    assert why in reason(path)


def test_a_nodata_value_must_be_a_number(tmp_path):
    assert "no number" in reason(write(tmp_path / "cube", more="data ignore value = none\n"))


def test_a_header_of_any_bytes_is_read(tmp_path):
    (tmp_path / "x.hdr").write_bytes(b"ENVI\r\nsamples = 3\r\n\xff\xfe = {\x00}\r\nlines=2\n")
    assert read_header(tmp_path / "x.hdr")["samples"] == "3" and read_header(tmp_path / "x.hdr")["lines"] == "2"


def test_gains_and_offsets_are_applied(tmp_path):
    more = "data gain values = {2, 1, 0.5}\ndata offset values = {0, -1, 10}\n"
    cube = open_envi(write(tmp_path / "cube", more=more))
    gain, offset = np.array([2, 1, 0.5]), np.array([0, -1, 10])
    expected = VALUES.astype(np.float32) * gain + offset
    assert cube.read(Window(0, 0, 5, 7))[0] == pytest.approx(expected, rel=1e-6)
    kept, _ = cube.read(Window(0, 0, 5, 7), np.array([False, False, True]))
    assert kept == pytest.approx(expected[..., 2:], rel=1e-6)
    for text in ("{1, 2}", "{1, x, 2}", "{1, nan, 2}"):
        assert "not 3 numbers" in reason(write(tmp_path / "cube", more=f"data gain values = {text}\n"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("UTM, 1, 1, 353128, 3813729, 15, 15, 11, North,WGS-84", 32611),
        ("UTM, 1, 1, 353128, 3813729, 15, 15, 33, South, WGS84, units=Meters, rotation=30", 32733),
        ("UTM, 1, 1, 353128, 3813729, 15, 15, 61, North, WGS-84", None),
        ("UTM, 1, 1, 353128, 3813729, 15, 15, 11, North, North America 1927", None),
        ("UTM, 1, 1, 353128, 3813729, 15, 15, 11, North, WGS-84, units=Feet", None),
        ("Geographic Lat/Lon, 1, 1, 10, 50, 0.1, 0.1, WGS-84, units=Degrees", None),
    ],
)
def test_a_zone_of_utm_is_a_coordinate_system(tmp_path, text, code):
    crs = open_envi(write(tmp_path / "cube", more=f"map info = {{{text}}}\n")).grid.crs
    assert (CRS.from_wkt(crs).to_epsg() if crs else None) == code


def test_fields_of_the_format_may_have_underscores(tmp_path):
    path = write(tmp_path / "cube", offset=3, more="reflectance_scale_factor = 10\n")
    header = tmp_path / "cube.hdr"
    for name in ("data type", "header offset", "byte order"):
        header.write_text(header.read_text().replace(name, name.replace(" ", "_")))
    assert open_envi(path).read(Window(0, 0, 5, 7))[0] == pytest.approx(VALUES / 10, rel=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "UTM, 1,0, 1,0, 500000,5, 5500000,0, 10,0, 20,5, 32, North, WGS-84",
        "UTM; 1; 1; 500000,5; 5500000; 10; 20,5; 32; North; WGS-84",
        "UTM,1,1,500000.5,5500000,10,20.5,32,North,WGS-84",
    ],
)
def test_places_with_commas_for_decimals(text):
    grid = read_map_info(text, "")
    assert grid.transform == (10, 0, 500000.5, 0, -20.5, 5500000) and grid.crs
