"""The view of a data set, settled once from what is asked for, what its card says, and a sample of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rsforge.data.bands.meaning import POLARISATIONS
from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import find_centre, open_raster
from rsforge.data.io.threads import map_in_threads
from rsforge.data.views.band_notes import (
    describe_level1,
    describe_masks,
    describe_order,
    describe_pictures,
    describe_scales,
    describe_stacks,
    join_roles,
    warn_of_mixed_roles,
    warn_of_names,
)
from rsforge.data.views.undeclared_fill import find_fill
from rsforge.data.views.view import PLAIN, Modality, View, choose_positions, open_view
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

Span = tuple[float, float] | Literal["percentile"] | None
"""The values that become black and white; ``percentile`` takes them from the data."""

SAMPLED = 16  # files whose headers are compared
MEASURED = 64  # files whose values give the percentiles
_COMPARED = 4  # files whose values are compared with the range
_MOST_OUTSIDE = 0.9  # of the values of a file
PERCENTILES = (2.0, 98.0)
_PIXELS = 1 << 16  # of a file
_SMALL = 1 << 20  # pixels


@dataclass(frozen=True)
class Request:
    """What somebody asks for; ``stored`` is the view of the data set's card, which the rest is taken from."""

    bands: tuple[str, ...] = ()
    span: Span = None
    fill: float | None = None
    stored: View = PLAIN

    def view(self) -> View:
        """The view without what only the files can say."""
        span = self.stored.span if self.span is None else self.span
        return View(
            bands=self.bands or self.stored.bands,
            span=None if span == "percentile" else span,
            fill=self.stored.fill if self.fill is None else self.fill,
            alpha=self.stored.alpha,
        )


@dataclass
class Settled:
    """The view, sentences about what was decided (``notes``), and what looks unsound (``warnings``)."""

    view: View
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def settle_view(files: Sequence[Path], request: Request, modality: Modality) -> Settled:
    """The view of ``files``: as ``request`` says, else by the metadata of a sample of them.

    RSF-D002 where percentiles are asked for and no file can be read.
    """
    settled = Settled(request.view())
    infos = _read_infos(_spread(files, SAMPLED))
    _settle_alpha(settled, infos)
    if modality == "optical":
        settled.warnings += warn_of_names(settled.view, infos)
    elif not settled.view.bands:
        _settle_polarisations(settled, infos)
    settled.warnings += warn_of_mixed_roles(settled.view, infos, modality)
    settled.notes += describe_order(settled.view, infos, modality)
    settled.notes += [*describe_scales(settled.view, infos, modality), *describe_level1(infos)]
    settled.notes += [*describe_pictures(infos), *describe_stacks(infos), *describe_masks(infos)]
    if settled.view.fill is None:
        _warn_of_fill(settled, _spread(files, SAMPLED), modality)
    if settled.view.span is not None:
        _warn_of_range(settled, _spread(files, _COMPARED), modality)
    if request.span == "percentile":
        settled.view = replace(settled.view, span=_measure_span(files, settled.view, modality))
        low, high = settled.view.span or (0.0, 0.0)
        percents = " and ".join(f"{percent:g}" for percent in PERCENTILES)
        settled.notes.append(f"range {low:g} to {high:g}, the percentiles {percents} of the data set")
    return settled


def _spread(files: Sequence[Path], most: int) -> list[Path]:
    return [files[k] for k in np.linspace(0, len(files) - 1, min(most, len(files))).astype(int)]


def _read_infos(files: Sequence[Path]) -> list[RasterInfo]:
    """The headers of the files that can be read."""
    infos = []
    for path in files:
        try:
            with open_raster(path) as raster:
                infos.append(raster.info)
        except UnreadableError:  # reported by whoever opens the file
            continue
    return infos


def _settle_alpha(settled: Settled, infos: Sequence[RasterInfo]) -> None:
    """An alpha band is no mask in any file where it is none in one: infrared of calm water is 0, as masks are."""
    spare = [info for info in infos if info.spare_alpha]
    if settled.view.alpha != "auto" or not spare:
        return
    settled.view = replace(settled.view, alpha="band")
    settled.notes.append(
        f"the last band of {spare[0].path.name}, called alpha, has many values and is no mask: it is taken as a band"
    )


def _settle_polarisations(settled: Settled, infos: Sequence[RasterInfo]) -> None:
    """The polarisations that most files name, in one order for all of them."""
    named = Counter(roles for info in infos if (roles := _polarisations(info, settled.view)))
    if not named:
        return
    settled.view = replace(settled.view, bands=named.most_common(1)[0][0])
    without = [info for info in infos if not _polarisations(info, settled.view)]
    if without:
        settled.warnings.append(
            f"{len(without)} of {count_noun(len(infos), 'sampled file')} do not name their bands, those of others are "
            f"{join_roles(settled.view.bands)} ({without[0].path.name})"
        )


def _polarisations(info: RasterInfo, view: View) -> tuple[str, ...]:
    """The polarisations of a file in the order in which they are read; none where it does not name them once each."""
    try:
        roles = [info.meanings[k].role for k in choose_positions(info, replace(view, bands=()), "sar")]
    except UnreadableError:
        return ()
    return tuple(roles) if roles and len(set(roles)) == len(roles) and set(roles) <= set(POLARISATIONS) else ()


def _warn_of_fill(settled: Settled, files: Sequence[Path], modality: Modality) -> None:
    """Warn of a value that fills areas at the border of some of the files.

    8-bit pictures have dark and white areas: of them only such that straight edges bound. Of large ones only a few are
    looked at.
    """
    found: dict[float, list[tuple[Path, float]]] = {}
    for number, path in enumerate(files):
        try:
            with open_view(path, settled.view, modality) as raster:
                info = raster.info
                if info.dtype == "uint8" and number >= _COMPARED and info.height * info.width > _SMALL:
                    continue
                read = raster.read(find_centre(info))
        except UnreadableError:
            continue
        fill = find_fill(read.values, read.valid)
        if fill is not None and (fill.straight or info.dtype != "uint8"):
            found.setdefault(fill.value, []).append((path, fill.share))
    for value, places in found.items():
        path, share = places[0]
        settled.warnings.append(
            f"{value:g} fills {share:.0%} of {path.name} at its border, and no metadata say that it is no data "
            f"({len(places)} of {count_noun(len(files), 'sampled file')}): --fill {value:g} leaves it out"
        )


def _warn_of_range(settled: Settled, files: Sequence[Path], modality: Modality) -> None:
    """Warn of a declared range that nearly all values of a file lie outside of, as where it is in another unit."""
    low, high = settled.view.span or (0.0, 0.0)
    for path in files:
        values = _sample(path, settled.view, modality)
        if isinstance(values, UnreadableError) or not values.size:
            continue
        share = float(((values <= low) | (values >= high)).mean())
        if share > _MOST_OUTSIDE:
            settled.warnings.append(
                f"{share:.0%} of the values of {path.name} lie outside the range {low:g} to {high:g}, in which they "
                f"become black or white: they are {values.min():g} to {values.max():g}"
            )
            return


def _measure_span(files: Sequence[Path], view: View, modality: Modality) -> tuple[float, float]:
    """Percentiles of the values of files spread over the data set."""
    samples = list(map_in_threads(lambda path: _sample(path, view, modality), _spread(files, MEASURED)))
    values = np.concatenate([one for one in samples if not isinstance(one, UnreadableError)] or [np.empty(0)])
    if not values.size:
        reasons = [one for one in samples if isinstance(one, UnreadableError)]
        found, fix = (f"{files[0].name}: {reasons[0]}", reasons[0].fix) if reasons else ("", "")
        what = "no image holds values to take the percentiles of"
        raise RsforgeError("RSF-D002", what, where="--range percentile", found=found, fix=fix)
    low, high = (float(f"{value:.6g}") for value in np.percentile(values, PERCENTILES))
    return (low, high) if low < high else (low, low + max(abs(low), 1.0) * 1e-3)


def _sample(path: Path, view: View, modality: Modality) -> npt.NDArray[Any] | UnreadableError:
    """Finite values of a file, evenly spread over it, or why it cannot be read."""
    try:
        with open_view(path, view, modality) as raster:
            read = raster.read(find_centre(raster.info))
    except UnreadableError as reason:
        return reason
    values = read.values[read.valid].astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    return values[:: max(values.size // _PIXELS, 1)]
