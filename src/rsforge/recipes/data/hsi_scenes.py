"""The checks before hyperspectral patches are cut: options, bands, coverage of the sensor, windows."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rsforge.data.cube_headers.wavelengths import WavelengthError, require_order, wavelength_error
from rsforge.data.cubes.cube import F32, F64, Cube, Mask
from rsforge.data.cubes.formats import open_cube
from rsforge.data.cubes.resample import coarse_count
from rsforge.data.cubes.spectral_response import (
    BandWeights,
    Response,
    integrate_response,
    load_response,
    require_coverage,
    select_bands,
    widest_step,
)
from rsforge.data.io.windows import WindowGrid
from rsforge.engine.signals import StopRequest
from rsforge.errors import RsforgeError, Terminated
from rsforge.recipes.console import Console
from rsforge.settings.data_cubes import HsiPatchesSettings
from rsforge.wording import count_noun

Value = TypeVar("Value", bound=np.generic)
MAX_NEGATIVE = 0.01  # share of negative values: noise makes a few, wrong scales many
HUGE = 1e9
EMPTY = "are taken as not measured"
ADVICE = "; other values than credible ones are left out by --valid-range LOW HIGH"


@dataclass(frozen=True)
class CubeScene:
    """A checked cube: the bands to keep, the weights of the Landsat bands, and the windows to cut.

    ``wavelength_nm``, ``keep`` and ``bands`` are in the order in which bands are written: ``turned`` where the cube has
    them from the longest wavelength to the shortest.
    """

    name: str
    path: Path
    wavelength_nm: F64
    keep: Mask
    bands: BandWeights
    windows: WindowGrid
    turned: bool

    def turn(self, bands: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """What belongs to the bands of the cube, on its last axis, in the order in which they are written."""
        return bands[..., ::-1] if self.turned else bands


@dataclass(frozen=True)
class CuttingJob:
    """The options of a run, and the number of files and windows that are left out, by reason."""

    settings: HsiPatchesSettings
    factor: Fraction
    response: Response
    dropped_nm: list[tuple[float, float]]
    stop: StopRequest
    left_out: Counter[str] = field(default_factory=Counter)

    def open(self, path: Path) -> Cube:
        options = self.settings
        cube = open_cube(
            path,
            variable=options.variable,
            wavelengths=options.wavelengths,
            size=options.size,
            axis=options.bands_axis,
        )
        return cube if options.fill is None else replace(cube, fill=options.fill)

    def raise_if_stopped(self) -> None:
        """Raise when SIGINT or SIGTERM came. The handler itself must not: HDF5 swallows exceptions in callbacks."""
        if self.stop:
            raise Terminated if self.stop.signal == signal.SIGTERM else KeyboardInterrupt


@dataclass
class ValueStats:
    """Counts and range of the values that were cut."""

    count: int = 0
    negative: int = 0
    low: float = 0.0
    high: float = 0.0

    def add(self, values: F32) -> None:
        self.count += values.size
        self.negative += int(np.count_nonzero(values < 0))
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    def list_warnings(self, cube: Cube) -> list[str]:
        """Sentences on assumptions about the values, and on values that are not plausible."""
        warnings = []
        if cube.assumed_nodata:
            shown = " and ".join(f"{value:g}" for value in sorted(cube.assumed_nodata))
            warnings.append(f"it declares no nodata value; {shown} is used as one")
        for value, count in sorted(cube.empty_spectra.items()):
            warnings.append(f"{count_noun(count, 'pixel')} with {value:g} in every band {EMPTY}")
        if self.negative > MAX_NEGATIVE * self.count:
            share = self.negative / self.count
            warnings.append(f"{share:.1%} of its values are negative, down to {self.low:g}{ADVICE}")
        if max(self.high, -self.low) >= HUGE:
            warnings.append(f"its values reach {max(self.high, self.low, key=abs):g}{ADVICE}")
        return warnings


def prepare_job(settings: HsiPatchesSettings, stop: StopRequest) -> CuttingJob:
    """The checked options; RSF-U005 or U007 for bad ones, RSF-D006 for a bad table of responses."""
    _check_range(settings)
    response = load_response(settings.sensor)
    if settings.bands:
        response = select_bands(response, settings.bands)
    dropped_nm = [_parse_range(text) for text in settings.drop_nm if text != "none"]
    return CuttingJob(settings, _parse_factor(settings), response, dropped_nm, stop)


def _parse_factor(settings: HsiPatchesSettings) -> Fraction:
    """The width of a Landsat pixel in pixels of the cube, as an exact fraction: 7.5 is 15/2."""
    numerator, _, denominator = settings.factor.partition("/")
    factor = Fraction(numerator) / int(denominator or 1)
    if factor < 1 or coarse_count(settings.patch_size, factor) < 1:
        what = f"a patch of {settings.patch_size} pixels and a Landsat pixel of {settings.factor} do not fit"
        fix = "a Landsat pixel is at least 1 pixel wide and at most a patch"
        raise RsforgeError("RSF-U005", what, where="--patch-size, --factor", fix=fix)
    return factor


def _check_range(settings: HsiPatchesSettings) -> None:
    """RSF-U005 for an empty range of valid values."""
    low, high = settings.valid_range or (0, 0)
    if low > high:
        found = f"{low:g} to {high:g}"
        raise RsforgeError("RSF-U005", "the range of valid values is empty", where="--valid-range", found=found)


def judge_scene(name: str, path: Path, job: CuttingJob, console: Console, *, alone: bool) -> CubeScene | None:
    """The scene in a file; None, with a warning, where one file of several has no wavelengths.

    RSF-D014 when wavelengths are missing or do not cover the sensor, RSF-D008 when the cube cannot be used.
    """
    settings = job.settings
    job.raise_if_stopped()
    with job.open(path) as cube:
        for note in cube.notes:
            console.say(f"cube       {path.name}: {note}")
        if cube.wavelength_nm is None:
            if alone:
                raise RsforgeError("RSF-D014", f"the wavelengths of {path.name} are unknown", where=str(path))
            console.warn(f"{path.name} is left out: it has no wavelengths")
            job.left_out["files without wavelengths"] += 1
            return None
        _warn_of_fill(path, cube, console)
        turned = _are_falling(path, cube.wavelength_nm)
        keep = cube.select_bands(job.dropped_nm)
        if console.dry_run and cube.empty_spectra:
            shown = " and ".join(f"{value:g}" for value in sorted(cube.empty_spectra))
            console.warn(f"{path.name}: pixels with {shown} in every band {EMPTY}")
        if keep.sum() < 2:
            what = f"{keep.sum()} of the {cube.bands} bands of {path.name} are left"
            raise RsforgeError("RSF-D014", what, where=str(path), fix="drop less by --drop-nm")
        wavelength_nm = cube.wavelength_nm
        if turned:
            console.say(f"cube       {path.name}: its bands are turned, so that wavelengths rise")
            wavelength_nm, keep = wavelength_nm[::-1], keep[::-1]
        bands = integrate_response(job.response, wavelength_nm[keep], widest_nm=widest_step(wavelength_nm))
        require_coverage(job.response, bands, where=str(path))
        size = settings.patch_size
        windows = WindowGrid(cube.height, cube.width, size, settings.stride or size)
        if not windows:
            console.warn(f"{path.name} is left out: its {cube.height} x {cube.width} pixels hold no patch of {size}")
            job.left_out["cubes smaller than a patch"] += 1
        return CubeScene(name, path, wavelength_nm, keep, bands, windows, turned)


def _warn_of_fill(path: Path, cube: Cube, console: Console) -> None:
    """Say where some pixels have one value in all bands, which nobody measures and no metadata explain."""
    value = None if cube.fill is not None else cube.find_undeclared_fill()
    if value is not None:
        console.warn(
            f"{path.name}: pixels have {value:g} in every band, and nothing declares that as no data: they are cut as "
            f"measured; leave them out with --fill {value:g}"
        )


def _are_falling(path: Path, wavelength_nm: F64) -> bool:
    """Whether all wavelengths fall; RSF-D014 where they neither do nor are those of detectors one after the other."""
    if len(wavelength_nm) > 1 and (np.diff(wavelength_nm) < 0).all():
        return True
    try:
        require_order(wavelength_nm)
    except WavelengthError as reason:
        raise wavelength_error(path, reason) from None
    return False


def _parse_range(text: str) -> tuple[float, float]:
    """The range ``low-high`` in nm; RSF-U005 when it is empty."""
    low, high = map(float, text.split("-"))
    if low > high:
        fix = f"write {high:g}-{low:g}"
        raise RsforgeError("RSF-U005", "a range of wavelengths is empty", where="--drop-nm", found=text, fix=fix)
    return low, high
