"""One cube in every format, with all that each format can say of its bands; and cubes as products lay them out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import rasterio
import scipy.io

ENVI_TYPES = {"int16": 2, "float32": 4, "uint16": 12}


@dataclass(frozen=True)
class Stored:
    """Stored values ``(h, w, B)`` and what is to be said of them; ``unit`` is nm or um, of ``waves`` as written."""

    values: np.ndarray
    waves: np.ndarray
    unit: str = "nm"
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    bad: tuple[int, ...] = ()

    @property
    def bands(self) -> int:
        return len(self.waves)

    @property
    def good(self) -> list[int]:
        return [int(k not in self.bad) for k in range(self.bands)]


def listed(values) -> str:
    return "{" + ", ".join(f"{value:.6g}" for value in values) + "}"


def write_header(path: Path, cube: Stored, *more: str, said: bool = True) -> Path:
    """An ENVI header, with ``said`` also of what it says of the bands."""
    height, width, bands = cube.values.shape
    lines = ["ENVI", f"samples = {width}", f"lines = {height}", f"bands = {bands}", "header offset = 0"]
    lines += [f"data type = {ENVI_TYPES[cube.values.dtype.name]}", "interleave = bsq", "byte order = 0"]
    if said:
        units = {"nm": "Nanometers", "um": "Micrometers"}[cube.unit]
        lines += [f"wavelength = {listed(cube.waves)}", f"wavelength units = {units}"]
        for name, value in (("gain", cube.scale), ("offset", cube.offset)):
            lines += [] if value is None else [f"data {name} values = {listed([value] * bands)}"]
        lines += [f"data ignore value = {cube.nodata}"] * (cube.nodata is not None)
        lines += [f"bbl = {listed(cube.good)}"] * bool(cube.bad)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, *more]) + "\n")
    return path


def write_envi(folder: Path, cube: Stored, *more: str, name: str = "cube", said: bool = True) -> Path:
    """Values and their header."""
    header = write_header(folder / f"{name}.hdr", cube, *more, said=said)
    header.with_suffix(".img").write_bytes(np.ascontiguousarray(cube.values.transpose(2, 0, 1)).tobytes())
    return header


@contextmanager
def open_to_tag(path: Path, mode: str = "r+", **profile) -> Iterator[rasterio.io.DatasetWriter]:
    """A GeoTIFF without a place, of which rasterio would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, mode, **profile) as file:
            yield file


def write_tif(path: Path, cube: Stored, *, fields: bool = True, **more) -> Path:
    """A GeoTIFF; with ``fields`` GDAL's own ones of scale, offset and nodata, and the tag ``bbl``."""
    height, width, bands = cube.values.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": cube.values.dtype.name}
    with open_to_tag(path, "w", **told, nodata=cube.nodata if fields else None, **more) as file:
        file.write(np.moveaxis(cube.values, 2, 0))
        if fields and (cube.scale or cube.offset):
            file.scales, file.offsets = [cube.scale or 1.0] * bands, [cube.offset or 0.0] * bands
        for k in range(bands if fields and cube.bad else 0):
            file.update_tags(k + 1, bbl=str(cube.good[k]))
    return path


def tag_bands(path: Path, tags: Callable[[int], dict[str, str]], domain: str | None = None) -> Path:
    """Add tags to each band."""
    with open_to_tag(path) as file:
        for k in range(file.count):
            file.update_tags(k + 1, ns=domain, **tags(k))
    return path


def as_envi(folder: Path, cube: Stored) -> Path:
    return write_envi(folder, cube)


def as_tags(folder: Path, cube: Stored) -> Path:
    path = write_tif(folder / "cube.tif", cube)
    return tag_bands(path, lambda k: {"wavelength": f"{cube.waves[k]:g}", "wavelength_units": cube.unit})


def as_imagery_domain(folder: Path, cube: Stored) -> Path:
    path = write_tif(folder / "cube.tif", cube)
    by = 1.0 if cube.unit == "um" else 0.001
    return tag_bands(path, lambda k: {"CENTRAL_WAVELENGTH_UM": f"{cube.waves[k] * by:.6f}"}, "IMAGERY")


def as_tif_with_header(folder: Path, cube: Stored) -> Path:
    write_header(folder / "cube.hdr", cube)
    return write_tif(folder / "cube.tif", cube, fields=False)


def as_file_tags(folder: Path, cube: Stored) -> Path:
    """Lists in the tags of the file, as programs write them that know no tags of bands."""
    path = write_tif(folder / "cube.tif", cube, fields=False)
    said = {"wavelength": listed(cube.waves), "wavelength_units": cube.unit}
    said |= {"bbl": listed(cube.good)} if cube.bad else {}
    for name, value in (("data_gain", cube.scale), ("data_offset", cube.offset), ("data_ignore_value", cube.nodata)):
        said |= {} if value is None else {name: str(value)}
    with open_to_tag(path) as file:
        file.update_tags(**said)
    return path


def add_scaling(attributes, cube: Stored) -> None:
    for name, value in (("scale_factor", cube.scale), ("add_offset", cube.offset), ("_FillValue", cube.nodata)):
        if value is not None:
            attributes[name] = np.array([value])


def as_attributes(folder: Path, cube: Stored) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "cube.h5", "w") as file:
        data = file.create_dataset("cube", data=cube.values)
        data.attrs["wavelength"], data.attrs["wavelength_units"] = cube.waves, cube.unit
        if cube.bad:
            data.attrs["bbl"] = np.array(cube.good)
        add_scaling(data.attrs, cube)
    return folder / "cube.h5"


def as_netcdf(folder: Path, cube: Stored) -> Path:
    """Wavelengths and marks of bands in a group of their own, and bands on the first axis."""
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "cube.nc", "w") as file:
        data = file.create_dataset("reflectance", data=cube.values.transpose(2, 0, 1))
        group = file.create_group("sensor_band_parameters")
        group.create_dataset("wavelengths", data=cube.waves).attrs["units"] = cube.unit
        if cube.bad:
            group.create_dataset("good_wavelengths", data=np.array(cube.good, np.float32))
        add_scaling(data.attrs, cube)
    return folder / "cube.nc"


def as_matlab(folder: Path, cube: Stored) -> Path:
    """MATLAB 5, whose variables are numbers alone: the unit is inferred."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"wavelength": cube.waves, "gain": cube.scale, "offset": cube.offset, "nodata": cube.nodata}
    said |= {"bbl": np.array(cube.good, float)} if cube.bad else {}
    known = {name: value for name, value in said.items() if value is not None}
    scipy.io.savemat(folder / "cube.mat", {"data": cube.values, **known})
    return folder / "cube.mat"


def as_matlab_73(folder: Path, cube: Stored) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    said = {"wavelength": cube.waves, "gain": cube.scale, "offset": cube.offset, "nodata": cube.nodata}
    said |= {"bbl": np.array(cube.good, float)} if cube.bad else {}
    with h5py.File(folder / "cube.mat", "w", userblock_size=512) as file:
        file.create_dataset("data", data=cube.values.transpose(2, 1, 0)).attrs["MATLAB_class"] = np.bytes_("int16")
        for name, value in said.items():
            if value is not None:
                file[name] = np.atleast_2d(value)
    return folder / "cube.mat"


FORMATS: dict[str, Callable[[Path, Stored], Path]] = {
    made.__name__.removeprefix("as_"): made
    for made in (
        as_envi, as_tags, as_imagery_domain, as_tif_with_header, as_file_tags, as_attributes, as_netcdf, as_matlab,
        as_matlab_73,
    )
}  # fmt: skip


def write_prisma(
    path: Path, vnir: np.ndarray, swir: np.ndarray, waves: tuple[np.ndarray, np.ndarray], *, idle: bool = False
) -> Path:
    """Stored values ``(h, w, B)`` of two detectors in the layout of PRISMA L2D, wavelengths falling, with ``idle`` also
    layers for the bands that are not in use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, stored, nm in (("Vnir", vnir, waves[0]), ("Swir", swir, waves[1])):
            empty = np.zeros((*stored.shape[:2], 2), stored.dtype)
            layers = np.concatenate([empty, stored[..., ::-1]] if idle else [stored[..., ::-1]], axis=2)
            place = f"HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/{name.upper()}_Cube"
            file.create_dataset(place, data=layers.transpose(0, 2, 1))
            file.attrs[f"List_Cw_{name}"] = np.concatenate([[0, 0], nm[::-1]]).astype(np.float32)
            file.attrs[f"List_Fwhm_{name}"] = np.concatenate([[0, 0], np.full(len(nm), 11.5)]).astype(np.float32)
            file.attrs[f"List_Cw_{name}_Flags"] = np.array([0, 0] + [1] * len(nm))
            file.attrs[f"L2Scale{name}Min"], file.attrs[f"L2Scale{name}Max"] = np.float32(-0.1), np.float32(1.3)
    return path


def write_neon(path: Path, cube: Stored, windows: tuple[tuple[float, float], ...] = ()) -> Path:
    """The layout of NEON's reflectance, whose ``Scale_Factor`` divides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        group = file.create_group("SITE/Reflectance")
        data = group.create_dataset("Reflectance_Data", data=cube.values)
        data.attrs["Scale_Factor"], data.attrs["Data_Ignore_Value"] = 10000.0, -9999.0
        for k, window in enumerate(windows, 1):
            group.attrs[f"Band_Window_{k}_Nanometers"] = np.array(window)
        spectral = group.create_group("Metadata/Spectral_Data")
        spectral.create_dataset("Wavelength", data=cube.waves).attrs["Units"] = "nanometers"
        spectral.create_dataset("FWHM", data=np.full(cube.bands, 5.0))
        place = group.create_group("Metadata/Coordinate_System")
        place["Map_Info"] = "UTM, 1, 1, 368000.0, 4306000.0, 1.0, 1.0, 18, North, WGS-84, units=Meters"
        group.create_group("Metadata/Logs")["Solar_Angle"] = 41.0
    return path


def write_enmap(folder: Path, cube: Stored, *, level: str = "2A", detector: str = "", rows: int = 0) -> Path:
    """An image without tags and the metadata beside it, of ``rows`` bands, as EnMAP names both."""
    stem = f"ENMAP01-____L{level}-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
    bands = "".join(
        f'<bandID number="{k + 1}"><wavelengthCenterOfBand>{400 + 20 * k}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{7 + k / 10}</FWHMOfBand><GainOfBand>0.002</GainOfBand><OffsetOfBand>0.5</OffsetOfBand></bandID>"
        for k in range(rows or cube.bands)
    )
    folder.mkdir(parents=True, exist_ok=True)
    text = f"<level_X><specific><bandCharacterisation>{bands}</bandCharacterisation></specific></level_X>"
    (folder / f"{stem}-METADATA.XML").write_text(text)
    return write_tif(folder / f"{stem}-SPECTRAL_IMAGE{detector}.TIF", cube, fields=False)
