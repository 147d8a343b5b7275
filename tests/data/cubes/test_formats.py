"""Cubes of every format."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io

from rsforge.data.cubes.formats import find_cubes, open_cube
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from tests.worlds.cube_formats import Stored, write_envi, write_header, write_tif

VALUES = np.random.default_rng(0).uniform(1, 2, (6, 4, 5)).astype(np.float32)


HEADER = "ENVI\nsamples = 4\nlines = 6\nbands = 5\ndata type = 4\ninterleave = bip\nbyte order = 0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One cube in every format."""
    root = tmp_path / "cubes"
    (root / "deep").mkdir(parents=True)
    (root / "envi.img").write_bytes(VALUES.tobytes())
    (root / "envi.img.hdr").write_text(HEADER)
    scipy.io.savemat(root / "matlab.mat", {"cube": VALUES})
    for name, block in (("deep/hdf.h5", 0), ("deep/blocked.h5", 512)):
        with h5py.File(root / name, "w", userblock_size=block) as file:
            file["cube"] = VALUES
    profile = {"driver": "GTiff", "height": 6, "width": 4, "count": 5, "dtype": "float32", "crs": "EPSG:32633"}
    with rasterio.open(root / "geo.TIF", "w", transform=rasterio.Affine(30, 0, 9, 0, -30, 9), **profile) as file:
        file.write(np.moveaxis(VALUES, 2, 0))
    (root / "notes.txt").write_text("none")
    return root


def code(action) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        action()
    return caught.value


def test_every_format_gives_the_same_cube(folder: Path):
    found = find_cubes(folder)
    assert list(found) == ["deep/blocked", "deep/hdf", "envi", "geo", "matlab"]
    for path in found.values():
        with open_cube(path) as cube:
            assert np.array_equal(cube.read(Window(1, 1, 4, 2))[0], VALUES[1:5, 1:3])
    assert find_cubes(folder / "envi.img") == {"envi": folder / "envi.img"}


def test_names_that_agree_keep_their_suffix(folder: Path):
    (folder / "geo.mat").write_bytes((folder / "matlab.mat").read_bytes())
    assert [name for name in find_cubes(folder) if name.startswith("geo")] == ["geo.TIF", "geo.mat"]


def test_files_of_one_name_are_skipped(folder: Path):
    assert list(find_cubes(folder, skip="hdf.h5")) == ["deep/blocked", "envi", "geo", "matlab"]


def test_no_cubes(tmp_path: Path):
    for place in (tmp_path, tmp_path / "missing"):
        assert code(lambda place=place: find_cubes(place)).code == "RSF-D001"
    os.mkfifo(tmp_path / "pipe")
    error = code(lambda: find_cubes(tmp_path / "pipe"))
    assert error.code == "RSF-D008" and "neither a file nor a folder" in error.what


def test_a_table_of_wavelengths_goes_first(folder: Path, tmp_path: Path):
    table = tmp_path / "w.txt"
    table.write_text("".join(f"{k} {0.4 + k / 100:.3f} 0.009\n" for k in range(5)))
    with open_cube(folder / "matlab.mat", wavelengths=table) as cube:
        assert cube.wavelength_nm == pytest.approx([400, 410, 420, 430, 440]) and cube.fwhm_nm == pytest.approx([9] * 5)
        assert cube.select_bands([(405, 420), (440, 500)]).tolist() == [True, False, False, True, False]
    table.write_text("400\n500\n")
    error = code(lambda: open_cube(folder / "matlab.mat", wavelengths=table))
    assert error.code == "RSF-D014" and "2 wavelengths, the cube 5 bands" in error.what


def test_what_is_no_cube_says_so(folder: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.mat")
    for path, why in ((folder / "notes.txt", "no ENVI file"), (tmp_path / "pipe.mat", "regular"), (folder, "regular")):
        error = code(lambda path=path: open_cube(path))
        assert error.code == "RSF-D008" and why in error.what and error.where == str(path)
    assert code(lambda: open_cube(folder / "missing.mat")).code == "RSF-E008"


def test_damage_met_while_reading_is_named(folder: Path):
    with open_cube(folder / "envi.img") as cube:
        (folder / "envi.img").unlink()
        assert code(lambda: cube.read(Window(0, 0, 1, 1))).code == "RSF-E008"


def test_a_window_of_a_giant_cube_takes_little_memory(tmp_path: Path):
    write_giants(tmp_path, 7000)
    for name in ("giant.hdr", "giant.h5"):
        tracemalloc.start()
        with open_cube(tmp_path / name) as cube:
            values, valid = cube.read(Window(6900, 5000, 100, 100))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000 and not values.any() and valid.all()
        tracemalloc.stop()


def write_giants(folder: Path, size: int) -> None:
    """Cubes that declare ``size * size * 20`` bytes, of which none is stored."""
    (folder / "giant.hdr").write_text(HEADER.replace("= 4\nlines = 6", f"= {size}\nlines = {size}"))
    with (folder / "giant").open("wb") as file:
        file.truncate(size * size * 20)
    with h5py.File(folder / "giant.h5", "w") as file:
        file.create_dataset("cube", (size, size, 5), "f4", chunks=(64, 64, 5), compression="gzip")
    profile = {"driver": "GTiff", "height": size, "width": size, "count": 5, "dtype": "float32", "tiled": True}
    profile |= {"crs": "EPSG:32633", "transform": rasterio.Affine(30, 0, 9, 0, -30, 9)}
    with rasterio.open(folder / "giant.tif", "w", sparse_ok=True, BIGTIFF="YES", **profile):
        pass


def test_a_cube_of_nothing_is_refused(tmp_path: Path):
    write_giants(tmp_path, 30_000)
    for name in ("giant.hdr", "giant.h5", "giant.tif"):
        error = code(lambda name=name: open_cube(tmp_path / name))
        assert error.code == "RSF-D008" and "it declares 18,000,000,000 bytes of values" in error.what
    with (tmp_path / "giant").open("r+b") as file:
        for k in range(20):  # a thousandth is there, in pieces
            file.seek(k * 900_000_000)
            file.write(bytes(1 << 20))
    with open_cube(tmp_path / "giant.hdr") as cube:
        assert cube.height == 30_000


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("wavelength units = GHz\nwavelength = {400, 500, 600, 700, 800}\n", "'GHz'"),
        ("wavelength = {400, 500, 500, 700, 800}\n", "500 is given for 2 bands"),
        ("wavelength = {400, -1, 600, 700, 800}\n", "-1 is none"),
    ],
)
def test_strange_wavelengths_are_named_unless_others_are_given(folder: Path, tmp_path: Path, field, why):
    (folder / "envi.img.hdr").write_text(HEADER + field)
    error = code(lambda: open_cube(folder / "envi.img"))
    assert error.code == "RSF-D014" and why in error.what and "envi.img" in error.where
    (tmp_path / "w.txt").write_text("400\n500\n600\n700\n800\n")
    with open_cube(folder / "envi.img", wavelengths=tmp_path / "w.txt") as cube:
        assert cube.wavelength_nm.tolist() == [400, 500, 600, 700, 800]


def test_strange_wavelengths_of_other_formats_are_named(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"], file["wavelength"] = VALUES, [400.0, 500, 600, 700, 700]
    scipy.io.savemat(tmp_path / "b.mat", {"cube": VALUES, "wavelength": [400.0, 500, 600, 700, 0]})
    profile = {"driver": "GTiff", "height": 6, "width": 4, "count": 5, "dtype": "float32", "crs": "EPSG:32633"}
    with rasterio.open(tmp_path / "c.tif", "w", transform=rasterio.Affine(30, 0, 9, 0, -30, 9), **profile) as file:
        for band in range(1, 6):
            file.update_tags(band, wavelength=400 + band, wavelength_units="Wavenumber")
    for name, why in (("a.h5", "700 is given"), ("b.mat", "0 is none"), ("c.tif", "'Wavenumber'")):
        error = code(lambda name=name: open_cube(tmp_path / name))
        assert error.code == "RSF-D014" and why in error.what


def test_a_header_and_the_geotiff_that_it_describes_are_one_cube(tmp_path):
    cube = Stored(np.ones((4, 5, 3), np.float32), np.array([400.0, 500, 600]))
    write_tif(tmp_path / "a.tif", cube, fields=False)
    header = write_header(tmp_path / "a.hdr", cube)
    assert find_cubes(tmp_path) == {"a": tmp_path / "a.tif"}
    for path in (tmp_path / "a.tif", header):
        with open_cube(path) as opened:
            assert opened.path == tmp_path / "a.tif" and opened.wavelength_nm.tolist() == [400, 500, 600]


def test_a_file_of_metadata_that_is_not_read_is_named(tmp_path):
    cube = Stored(np.ones((4, 5, 3), np.float32), np.array([400.0, 500, 600]))
    header = write_envi(tmp_path, cube)
    beside = tmp_path / "cube.img.aux.xml"
    for text, named in (("<Scale>0.1</Scale>", True), ("<STATISTICS/>", False)):
        beside.write_text(f"<PAMDataset>{text}</PAMDataset>")
        with open_cube(header) as opened:
            assert any("cube.img.aux.xml beside it gives <scale>, and is not read" in n for n in opened.notes) == named
