"""Cubes of every format, found in folders and opened by what they are."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rsforge.data.cubes.cube import F64, Cube, Fetched
from rsforge.data.cubes.envi import header_of, open_envi
from rsforge.data.cubes.geotiff import open_geotiff
from rsforge.data.cubes.hdf5 import open_hdf5
from rsforge.data.cubes.matlab import open_matlab
from rsforge.data.cubes.wavelengths import WavelengthError, read_table, unusable
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError, from_os_error

SUFFIXES = frozenset({".hdr", ".tif", ".tiff", ".mat", ".h5", ".hdf5", ".he5", ".nc", ".nc4"})
PARTS = frozenset({".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi"})

_HDF5, _TIFF = b"\x89HDF\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# A user block may stand before HDF5's signature, at a power of two from 512 on; MATLAB writes one of 512.
_HDF5_AT = (0, 512, 1024, 2048)


def find_cubes(place: Path, *, skip: str = "") -> dict[str, Path]:
    """Files that may hold cubes by scene, sorted: the one at ``place``, or those of a folder at any depth.

    A scene is called by its path below the folder without suffix; where two agree, with it. Files called ``skip`` are
    no cubes. RSF-D001 when there is none, RSF-D008 for a pipe or a device.
    """
    if place.is_file():
        return {_plain(Path(place.name)): place}
    if not place.is_dir():
        if place.exists():
            raise RsforgeError("RSF-D008", f"{place} is neither a file nor a folder", where="--input")
        raise RsforgeError("RSF-D001", f"{place} does not exist", where="--input")
    every = sorted(place.rglob("*"))
    paths = [path for path in every if path.suffix.lower() in SUFFIXES and path.name != skip and path.is_file()]
    if not paths:
        raise RsforgeError(
            "RSF-D001", f"no cubes found in {place}", where="--input",
            fix="cubes are ENVI headers (.hdr), .tif, .mat, .h5, .hdf5, .he5 and .nc files, at any depth",
        )  # fmt: skip
    names = [path.relative_to(place) for path in paths]
    plain = [_plain(name) for name in names]
    chosen = [p if plain.count(p) == 1 else n.as_posix() for p, n in zip(plain, names, strict=True)]
    return dict(zip(chosen, paths, strict=True))


def _plain(name: Path) -> str:
    bare = name.with_suffix("") if name.suffix.lower() in SUFFIXES else name
    return (bare.with_suffix("") if bare.suffix.lower() in PARTS else bare).as_posix()


def open_cube(
    path: Path,
    *,
    variable: str | None = None,
    wavelengths: Path | None = None,
    size: tuple[int, int] | None = None,
) -> Cube:
    """The cube at ``path``: ENVI (its header or its numbers), GeoTIFF, MATLAB or HDF5, told by its first bytes.

    ``wavelengths`` is a text table that goes before what the file says. Unusable files raise RSF-D008, here or when
    read, wavelengths that are none, or not as many as the bands, RSF-D014.
    """
    table = read_table(wavelengths) if wavelengths is not None else None
    with _told(path):
        cube = _opened(path, variable, None if table is None else table[0], size)

    def fetch(window: Window, inner: Callable[[Window], Fetched] = cube.fetch) -> Fetched:
        with _told(path):
            return inner(window)

    cube = replace(cube, fetch=fetch)
    if table is None:
        return cube
    if len(table[0]) != cube.bands:
        cube.close()
        raise RsforgeError(
            "RSF-D014", f"{wavelengths} has {len(table[0])} wavelengths, the cube {cube.bands} bands",
            where=f"--wavelengths, {path}",
        )  # fmt: skip
    notes = tuple(filter(None, (*cube.notes, table[2])))
    return replace(cube, wavelength_nm=table[0], fwhm_nm=table[1], notes=notes)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except WavelengthError as reason:
        raise unusable(path, reason) from None
    except UnreadableError as reason:
        raise RsforgeError("RSF-D008", f"cannot use the cube {path}: {reason}", where=str(path)) from None
    except OSError as error:
        raise from_os_error(error) from error


def _opened(path: Path, variable: str | None, wavelength_nm: F64 | None, size: tuple[int, int] | None) -> Cube:
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableError("it is not a regular file")
    with path.open("rb") as file:
        head = file.read(_HDF5_AT[-1] + 8)
    if any(head[at : at + 8] == _HDF5 for at in _HDF5_AT):
        return open_hdf5(path, variable, wavelength_nm, size)
    if head[:4] in _TIFF:
        return open_geotiff(path, wavelength_nm)
    if path.suffix.lower() == ".mat":
        return open_matlab(path, variable, wavelength_nm, size)
    if path.suffix.lower() == ".hdr" or header_of(path) is not None:
        return open_envi(path, wavelength_nm)
    raise UnreadableError("it is no ENVI file with a header beside it, GeoTIFF, MATLAB or HDF5 file")
