"""Cubes of all formats: found in folders, and opened by the signature of the file."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rsforge.data.cube_headers.wavelengths import MAX_TEXT, WavelengthError, read_table, wavelength_error
from rsforge.data.cubes.cube import F64, Cube, WindowData
from rsforge.data.cubes.envi import find_header, open_envi
from rsforge.data.cubes.geotiff import find_geotiff, open_geotiff
from rsforge.data.cubes.hdf5 import open_hdf5
from rsforge.data.cubes.matlab import open_matlab
from rsforge.data.files.walk import lies_in_left_behind
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError, from_os_error
from rsforge.wording import count_noun

SUFFIXES = frozenset({".hdr", ".tif", ".tiff", ".mat", ".h5", ".hdf5", ".he5", ".nc", ".nc4"})
PARTS = frozenset({".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi"})

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# A user block may stand before HDF5's signature, at a power of two from 512 on; MATLAB writes one of 512.
_HDF5_AT = (0, 512, 1024, 2048)


def find_cubes(place: Path, *, skip: str = "") -> dict[str, Path]:
    """Files that may hold cubes, by the name of their scene: the file ``place``, or all below the folder ``place``.

    The name is the path below the folder without suffix, with it where two names are equal. Files named ``skip`` are
    left out. RSF-D001 when there is none, RSF-D008 for a pipe or a device.
    """
    if place.is_file():
        return {_scene_name(Path(place.name)): place}
    if not place.is_dir():
        if place.exists():
            raise RsforgeError("RSF-D008", f"{place} is neither a file nor a folder", where="--input")
        raise RsforgeError("RSF-D001", f"{place} does not exist", where="--input")
    every = sorted(path for path in place.rglob("*") if not lies_in_left_behind(place, path))
    paths = [path for path in every if path.suffix.lower() in SUFFIXES and path.name != skip and path.is_file()]
    # A header that describes a GeoTIFF is read with it.
    paths = [path for path in paths if path.suffix.lower() != ".hdr" or find_geotiff(path) is None]
    if not paths:
        raise RsforgeError(
            "RSF-D001", f"no cubes found in {place}", where="--input",
            fix="cubes are ENVI headers (.hdr), .tif, .mat, .h5, .hdf5, .he5 and .nc files, at any depth",
        )  # fmt: skip
    names = [path.relative_to(place) for path in paths]
    plain = [_scene_name(name) for name in names]
    unique = {name for name, count in Counter(plain).items() if count == 1}
    scenes = [short if short in unique else name.as_posix() for short, name in zip(plain, names, strict=True)]
    return dict(zip(scenes, paths, strict=True))


def _scene_name(name: Path) -> str:
    if name.suffix.lower() in SUFFIXES:
        name = name.with_suffix("")
    if name.suffix.lower() in PARTS:
        name = name.with_suffix("")
    return name.as_posix()


def open_cube(
    path: Path,
    *,
    variable: str | None = None,
    wavelengths: Path | None = None,
    size: tuple[int, int] | None = None,
    axis: str | None = None,
) -> Cube:
    """The cube at ``path``: ENVI (its header or its values), GeoTIFF, MATLAB or HDF5, recognised by its first bytes.

    ``wavelengths`` is a text table that replaces the wavelengths of the file, ``size`` the rows and columns of a matrix
    of pixels, ``axis`` that of the bands (first, middle or last) where several are as long. RSF-D008 for unusable
    files, here or when windows are read; RSF-D014 for invalid wavelengths, or another number of them than there are
    bands.
    """
    table = read_table(wavelengths) if wavelengths is not None else None
    with _translate_errors(path):
        cube = _open_by_signature(path, variable, None if table is None else table[0], size, axis)

    def fetch(window: Window, inner: Callable[[Window], WindowData] = cube.fetch) -> WindowData:
        with _translate_errors(path):
            return inner(window)

    cube = replace(cube, fetch=fetch, notes=(*cube.notes, *_name_sidecar(cube.path)))
    if table is None:
        return cube
    if len(table[0]) != cube.bands:
        cube.close()
        raise RsforgeError(
            "RSF-D014", f"{wavelengths} has {count_noun(len(table[0]), 'wavelength')}, the cube {cube.bands} bands",
            where=f"--wavelengths, {path}",
        )  # fmt: skip
    notes = tuple(filter(None, (*cube.notes, table[2])))
    return replace(cube, meanings=replace(cube.meanings, wavelength_nm=table[0], fwhm_nm=table[1]), notes=notes)


def _name_sidecar(path: Path) -> list[str]:
    """A sentence on GDAL's file of metadata beside a file, which is not read, where it says something of values."""
    sidecar = path.with_name(path.name + ".aux.xml")
    if not sidecar.is_file() or sidecar.stat().st_size > MAX_TEXT:
        return []
    text = sidecar.read_bytes().lower()
    said = [word.decode() for word in (b"<scale>", b"<offset>", b"<nodatavalue", b"wavelength") if word in text]
    return [f"{sidecar.name} beside it gives {', '.join(said)}, and is not read"] if said else []


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Raise what readers raise in the block as RSF-D008, RSF-D014 or an environment error."""
    try:
        yield
    except WavelengthError as reason:
        raise wavelength_error(path, reason) from None
    except UnreadableError as reason:
        raise RsforgeError(
            "RSF-D008", f"cannot use the cube {path}: {reason}", where=str(path), fix=reason.fix
        ) from None
    except OSError as error:
        raise from_os_error(error) from error


def _open_by_signature(
    path: Path, variable: str | None, wavelength_nm: F64 | None, size: tuple[int, int] | None, axis: str | None
) -> Cube:
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableError("it is not a regular file")
    with path.open("rb") as file:
        head = file.read(_HDF5_AT[-1] + 8)
    if any(head[at : at + 8] == _HDF5 for at in _HDF5_AT):
        return open_hdf5(path, variable, wavelength_nm, size, axis)
    if head[:4] in _TIFF:
        return open_geotiff(path, wavelength_nm is None)
    if path.suffix.lower() == ".mat":
        return open_matlab(path, variable, wavelength_nm, size, axis)
    if path.suffix.lower() == ".hdr" and (described := find_geotiff(path)) is not None:
        return open_geotiff(described, wavelength_nm is None)
    if path.suffix.lower() == ".hdr" or find_header(path) is not None:
        return open_envi(path, wavelength_nm is None)
    raise UnreadableError("it is no ENVI file with a header beside it, GeoTIFF, MATLAB or HDF5 file")
