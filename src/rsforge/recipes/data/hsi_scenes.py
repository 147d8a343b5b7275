"""What is judged before hyperspectral patches are cut: options, bands, coverage, windows."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from rsforge.data.cubes.cube import F32, F64, Cube, Mask
from rsforge.data.cubes.formats import open_cube
from rsforge.data.cubes.resample import coarse_count
from rsforge.data.cubes.spectral_response import (
    Bands,
    Response,
    integrate,
    load_response,
    require_covered,
    select,
    widest_step,
)
from rsforge.data.io.windows import Frames
from rsforge.engine.signals import StopRequest
from rsforge.errors import RsforgeError, Terminated
from rsforge.recipes.console import Console
from rsforge.settings.data_cubes import HsiPatchesSettings

NEGATIVE = 0.01  # reflectance is a little below zero in places, radiance next to never
HUGE = 1e9
ADVICE = "; other values than credible ones are left out by --valid-range LOW HIGH"


@dataclass(frozen=True)
class Scene:
    """A cube that was judged: the bands that are kept, the Landsat bands they make, the windows to look at."""

    name: str
    path: Path
    wavelength_nm: F64
    keep: Mask
    bands: Bands
    windows: Frames


@dataclass(frozen=True)
class Work:
    """What was asked for, and a count of what is left out."""

    settings: HsiPatchesSettings
    factor: Fraction
    response: Response
    spans: list[tuple[float, float]]
    stop: StopRequest
    left_out: Counter[str] = field(default_factory=Counter)

    def open(self, path: Path) -> Cube:
        s = self.settings
        return open_cube(path, variable=s.variable, wavelengths=s.wavelengths, size=s.size)

    def heed(self) -> None:
        """End here when SIGINT or SIGTERM came: an exception within a callback of HDF5 would be lost."""
        if self.stop:
            raise Terminated if self.stop.signal == signal.SIGTERM else KeyboardInterrupt


@dataclass
class Seen:
    """What the values that were cut look like."""

    count: int = 0
    negative: int = 0
    low: float = 0.0
    high: float = 0.0

    def take(self, values: F32) -> None:
        self.count += values.size
        self.negative += int(np.count_nonzero(values < 0))
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def doubts(self, cube: Cube) -> list[str]:
        """What is hard to believe, or was assumed, in sentences."""
        found = []
        if cube.filled:
            shown = " and ".join(f"{value:g}" for value in sorted(cube.filled))
            found.append(f"it declares no nodata value; {shown} is taken as one")
        if self.negative > NEGATIVE * self.count:
            found.append(f"{self.negative / self.count:.1%} of its values are negative, down to {self.low:g}{ADVICE}")
        if max(self.high, -self.low) >= HUGE:
            found.append(f"its values reach {max(self.high, self.low, key=abs):g}{ADVICE}")
        return found


def work_of(settings: HsiPatchesSettings, stop: StopRequest) -> Work:
    """The options, judged; RSF-U005, U007 or D006 where they do not hold."""
    _check_range(settings)
    response = load_response(settings.sensor)
    chosen = select(response, settings.bands) if settings.bands else response
    return Work(settings, _factor(settings), chosen, [_span(text) for text in settings.drop_nm if text != "none"], stop)


def _factor(settings: HsiPatchesSettings) -> Fraction:
    """Cube pixels a Landsat pixel, exactly: 7.5 is 15/2."""
    above, _, below = settings.factor.partition("/")
    factor = Fraction(above) / int(below or 1)
    if factor < 1 or coarse_count(settings.patch_size, factor) < 1:
        raise RsforgeError(
            "RSF-U005", f"a patch of {settings.patch_size} pixels and a Landsat pixel of {settings.factor} do not fit",
            where="--patch-size, --factor", fix="a Landsat pixel is at least 1 pixel wide and at most a patch",
        )  # fmt: skip
    return factor


def _check_range(settings: HsiPatchesSettings) -> None:
    low, high = settings.valid_range or (0, 0)
    if low > high:
        found = f"{low:g} to {high:g}"
        raise RsforgeError("RSF-U005", "the range of valid values is empty", where="--valid-range", found=found)


def judged(name: str, path: Path, work: Work, show: Console, *, alone: bool) -> Scene | None:
    """The scene in a file; None, with a warning, where one file of several is no spectrum, as companions are."""
    s = work.settings
    work.heed()
    with work.open(path) as cube:
        for note in cube.notes:
            show.say(f"cube       {path.name}: {note}")
        if cube.wavelength_nm is None:
            if alone:
                raise RsforgeError("RSF-D014", f"the wavelengths of {path.name} are unknown", where=str(path))
            show.warn(f"{path.name} is left out: it has no wavelengths")
            work.left_out["files without wavelengths"] += 1
            return None
        keep = cube.kept_bands(work.spans)
        if keep.sum() < 2:
            what = f"{keep.sum()} of the {cube.bands} bands of {path.name} are left"
            raise RsforgeError("RSF-D014", what, where=str(path), fix="drop less by --drop-nm")
        bands = integrate(work.response, cube.wavelength_nm[keep], widest_nm=widest_step(cube.wavelength_nm))
        require_covered(work.response, bands, where=str(path))
        places = Frames(cube.height, cube.width, s.patch_size, s.stride or s.patch_size)
        if not places:
            show.warn(
                f"{path.name} is left out: its {cube.height} x {cube.width} pixels hold no patch of {s.patch_size}"
            )
            work.left_out["cubes smaller than a patch"] += 1
        return Scene(name, path, cube.wavelength_nm, keep, bands, places)


def _span(text: str) -> tuple[float, float]:
    low, high = map(float, text.split("-"))
    if low > high:
        fix = f"write {high:g}-{low:g}"
        raise RsforgeError("RSF-U005", "a range of wavelengths is empty", where="--drop-nm", found=text, fix=fix)
    return low, high
