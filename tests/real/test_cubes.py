"""Real cubes, spectra, response functions and odd HDF5 files: a right read or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io

from rsforge.data.cube_headers.wavelengths import read_table
from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.formats import open_cube
from rsforge.data.cubes.spectral_response import SENSORS, integrate_response, load_response
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from tests.worlds.commands import rsforge

ODD = {
    "b2nd-no-chunkshape.h5": "the filter blosc2, which is not installed",
    "blosc_bigendian.h5": "the filter blosc, which is not installed",
}
READ = {"float.h5": 4, "slink.h5": 1, "test_ref_array1.mat": 4, "zerodim-attrs-1.3.h5": 1}


@pytest.fixture(scope="module")
def spectral(real_data: Path) -> Path:
    return real_data / "hyperspectral"


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_every_odd_hdf5_file_is_read_or_refused(real_data):
    paths = sorted((real_data / "odd_files" / "hdf5").glob("*/*"))
    assert paths
    for path in paths:
        reasons, read = [], 0
        with hdf5_file.open_file(path) as file:
            for dataset in hdf5_file.list_numeric_datasets(file).values():
                try:
                    hdf5_file.read_small(dataset)
                    read += 1
                except UnreadableError as reason:
                    reasons.append(str(reason))
        assert read == READ.get(path.name, 0) and all(ODD[path.name] in reason for reason in reasons)
        with pytest.raises(RsforgeError) as caught:
            open_cube(path)
        assert caught.value.code == "RSF-D008"


def test_the_avirisng_cube_is_what_gdal_reads(spectral):
    path = spectral / "avirisng_ang20160910_30x25" / "ang20160910t185702_2rdn_img"
    with open_cube(path) as cube, rasterio.open(path, driver="ENVI") as other:
        assert (cube.height, cube.width, cube.bands, cube.meanings.fill) == (25, 30, 425, -9999)
        assert cube.wavelength_nm[[0, -1]].tolist() == [376.44, 2500.12]
        assert cube.grid.transform == pytest.approx(tuple(other.transform)[:6])
        assert np.array_equal(cube.read(Window(3, 5, 20, 11))[0], np.moveaxis(other.read(), 0, 2)[3:23, 5:16])


def test_enmap_names_its_empty_bands(spectral):
    with open_cube(spectral / "enmap_potsdam" / "enmap_potsdam_tile_64_0.tif") as cube:
        assert np.flatnonzero(cube.find_empty_bands()).tolist() == list(range(129, 135))
        assert np.flatnonzero(~cube.good_bands).tolist() == list(range(129, 135))
        values, valid = cube.read(Window(0, 0, 32, 32), cube.select_bands([]))
        assert values.shape == (32, 32, 218) and valid.all() and values.min() >= 0 and values.max() < 1.1
        with rasterio.open(cube.path) as other:
            theirs = np.moveaxis(other.read() * np.array(other.scales)[:, None, None], 0, 2)
        assert values == pytest.approx(theirs[..., cube.select_bands([])], rel=1e-6)  # reflectance, as its scale says


def test_samson_is_a_cube_of_columns(spectral):
    path = spectral / "samson" / "Samson.mat"
    pixels = scipy.io.loadmat(path, variable_names=["Y"])["Y"]
    with open_cube(path) as cube:
        assert (cube.height, cube.width, cube.bands) == (95, 95, 156)
        values, _ = cube.read(Window(10, 20, 5, 5))
    assert np.array_equal(values[2, 3], pixels[:, (20 + 3) * 95 + 10 + 2].astype(np.float32))


@pytest.mark.parametrize("sensor", SENSORS)
def test_the_tables_are_the_measured_ones(spectral, sensor):
    response = load_response(sensor)
    theirs = load_response(str(spectral / "srf" / f"Landsat_{sensor[-1]}_Spectral_Response.csv"))
    known = {band.lower().replace("coastalaerosol", "coastal"): k for k, band in enumerate(theirs.bands)}
    for k, band in enumerate(response.bands):
        peak = response.wavelength_nm[response.values[:, k].argmax()]
        near = np.abs(response.wavelength_nm - peak) < 400
        found = np.interp(response.wavelength_nm[near], theirs.wavelength_nm, theirs.values[:, known[band]])
        assert np.abs(found - response.values[near, k]).max() < 1e-5


def test_a_lawn_is_dark_in_red_and_bright_in_infrared(spectral):
    wavelength, fwhm, said = read_table(spectral / "avirisng_spectra" / "20170320_ang20170228_wavelength_fit.txt")
    assert len(wavelength) == 425 and wavelength[0] == pytest.approx(376.86) and "micrometres" in said
    assert fwhm == pytest.approx(5.5, abs=0.6)
    # The published patches of 2019, of this calibration, have 340 bands.
    dropped = ((1350, 1470), (1780, 1980), (2400, 3000))
    assert sum(not any(low <= w <= high for low, high in dropped) for w in wavelength) == 340
    lawn = np.loadtxt(spectral / "avirisng_spectra" / "ang20171108t184227_rdn_v2p11_BeckmanLawn.txt")
    bands = integrate_response(load_response("landsat8"), lawn[:, 0])
    blue, green, red, nir = (bands.weights @ lawn[:, 1])[1:5]
    assert bands.coverage == pytest.approx(1) and nir > 3 * red and green > red and blue > 0


def test_patches_of_avirisng(spectral, tmp_path, capsys):
    folder = spectral / "avirisng_ang20160910_30x25"
    line = "data hsi-patches --input {} --output-dir {} --patch-size 15 --json"
    assert rsforge(line, folder, tmp_path) == 0
    result = told(capsys)
    assert result["patches"] == 2 and list(result["bands"].values()) == [341]
    assert result["left_out"] == {"files without wavelengths": 1} and set(result["coverage"].values()) == {1.0}
    with h5py.File(tmp_path / "ang20160910t185702_2rdn_img" / "test_patches.h5") as file:
        wavelength, values = file.attrs["wavelengths"], file["aviris"][:]
        for k, centre in enumerate((443, 482, 561, 655, 865, 1609, 2201)):
            near = np.abs(wavelength - centre) < 15
            assert file["landsat"][..., k].mean() == pytest.approx(values[..., near].mean(), rel=0.1)
        assert file.attrs["aviris_gsd"] == 15 and file.attrs["landsat_gsd"] == 112.5


def test_patches_of_enmap(spectral, tmp_path, capsys):
    line = "data hsi-patches --input {} --output-dir {} --patch-size 30 --sensor landsat7 --json"
    assert rsforge(line, spectral / "enmap_potsdam", tmp_path) == 0
    result = told(capsys)
    assert result["patches"] == 6 and set(result["bands"].values()) == {205}
    assert result["coverage"]["swir1"] == pytest.approx(0.992, abs=1e-3)


def test_samson_has_no_infrared(spectral, tmp_path, capsys):
    (tmp_path / "w.txt").write_text("\n".join(f"{w:.3f}" for w in np.linspace(401, 889, 156)))
    mat, given = spectral / "samson" / "Samson.mat", "--patch-size 30 --wavelengths {} --json"
    assert rsforge("data hsi-patches --input {} --output-dir {}", mat, tmp_path / "a") == 3
    assert "the wavelengths of Samson.mat are unknown" in capsys.readouterr().err
    line = f"data hsi-patches --input {{}} --output-dir {{}} {given}"
    assert rsforge(line, mat, tmp_path / "b", tmp_path / "w.txt") == 3
    assert "swir1 0%, swir2 0%" in capsys.readouterr().err
    table = (spectral / "srf" / "Landsat_8_Spectral_Response.csv").read_text().splitlines()
    (tmp_path / "vnir.tsv").write_text("\n".join("\t".join(row.split("\t")[:6]) for row in table))
    line += " --sensor {}"
    assert rsforge(line, mat, tmp_path / "c", tmp_path / "w.txt", tmp_path / "vnir.tsv") == 0
    result = told(capsys)
    assert result["patches"] == 9 and result["sensor"] == "vnir" and result["bands"] == {"Samson": 156}
