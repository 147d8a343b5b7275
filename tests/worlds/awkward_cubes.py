"""Sound cubes whose meaning stands in metadata, as people have them, each with what is right of it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from tests.worlds.cube_formats import (
    Stored,
    tag_bands,
    write_envi,
    write_header,
    write_prisma,
    write_tif,
)

NM = np.arange(400.0, 2500.0, 20.0)
SIZE = 16
BAD = (NM > 700) & (NM < 820)  # between red and near infrared


def draw_reflectance(nm: np.ndarray = NM, size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Reflectance ``(size, size, B)`` between 0.05 and 0.5, with an edge at 720 nm."""
    edge = 0.1 + 0.3 / (1 + np.exp((720 - nm) / 15))
    shade = np.random.default_rng(seed).uniform(0.5, 1.2, (size, size, 1))
    return (shade * edge).astype(np.float32)


def spoil(values: np.ndarray, bad: np.ndarray, by: float = 9.9) -> np.ndarray:
    """Nonsense in the bands that are to be declared bad."""
    return np.where(bad, np.float32(by), values).astype(np.float32)


def tag_wavelengths(path: Path) -> None:
    tag_bands(path, lambda k: {"wavelength": f"{NM[k]:g}", "wavelength_units": "Nanometers"})


def scaled_geotiff(folder: Path) -> None:
    stored = (draw_reflectance() * 10000).astype(np.int16)
    tag_wavelengths(write_tif(folder / "scaled.tif", Stored(stored, NM, scale=0.0001, nodata=-32768)))


def scaled_envi(folder: Path) -> None:
    stored = (draw_reflectance() * 10000).astype(np.int16)
    write_envi(folder, Stored(stored, NM), "reflectance_scale_factor = 10000")


def emit(folder: Path) -> None:
    folder.mkdir(parents=True)
    with h5py.File(folder / "EMIT_L2A_RFL.nc", "w") as file:
        data = file.create_dataset("reflectance", data=spoil(draw_reflectance(), BAD, -0.01))
        data.attrs["_FillValue"] = np.array([-9999.0], np.float32)
        file["sensor_band_parameters/wavelengths"] = NM.astype(np.float32)
        file["sensor_band_parameters/wavelengths"].attrs["units"] = "nm"
        file["sensor_band_parameters/good_wavelengths"] = (~BAD).astype(np.float32)


def prisma(folder: Path) -> None:
    waves = np.linspace(405, 972, 40), np.linspace(943, 2497, 90)
    parts = [np.rint((draw_reflectance(nm) + 0.1) / 1.4 * 65535).astype(np.uint16) for nm in waves]
    write_prisma(folder / "PRS_L2D_STD.he5", *parts, waves)


def imagery_domain(folder: Path) -> None:
    path = write_tif(folder / "cube.tif", Stored(draw_reflectance(), NM))
    tag_bands(path, lambda k: {"CENTRAL_WAVELENGTH_UM": f"{NM[k] / 1000:.4f}", "FWHM_UM": "0.0200"}, "IMAGERY")


def header_beside(folder: Path) -> None:
    cube = Stored(draw_reflectance(), NM)
    write_tif(folder / "scene.tif", cube, fields=False)
    write_header(folder / "scene.hdr", cube, "file type = TIFF")


def words_for_bands(folder: Path) -> None:
    words = ", ".join("False" if mark else "True" for mark in BAD)
    write_envi(folder, Stored(spoil(draw_reflectance(), BAD), NM), f"bbl = {{{words}}}")


def marks_short_of_one(folder: Path) -> None:
    marks = ", ".join("0" if mark else "1" for mark in BAD[:-1])
    write_envi(folder, Stored(spoil(draw_reflectance(), BAD), NM), f"bbl = {{{marks}}}")


def other_unit(folder: Path) -> None:
    write_envi(folder, Stored(draw_reflectance(), NM, unit="um"))


def zeros_outside(folder: Path) -> None:
    values = draw_reflectance()
    values[:, 12:] = 0
    write_envi(folder, Stored(values, NM))


def equal_axes(folder: Path) -> None:
    nm = NM[:: len(NM) // SIZE][:SIZE]
    folder.mkdir(parents=True)
    with h5py.File(folder / "a.h5", "w") as file:
        file["cube"], file["wavelength"] = draw_reflectance(nm).transpose(2, 0, 1), nm


def plural(folder: Path) -> None:
    text = ", ".join(f"{nm:g}" for nm in NM)
    write_envi(folder, Stored(draw_reflectance(), NM), f"wavelengths = {{{text}}}", "wavelength_unit = nm", said=False)


def micrometres_with_an_underscore(folder: Path) -> None:
    text = ", ".join(f"{nm / 1000:g}" for nm in NM)
    lines = (f"wavelength = {{{text}}}", "wavelength_units = Micrometers")
    write_envi(folder, Stored(draw_reflectance(), NM), *lines, said=False)
