"""The view of a data set, settled once from what is asked for, what its card says, and a sample of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rsforge.data.bands.meaning import COLOURS, POLARISATIONS
from rsforge.data.files.stack_paths import is_stack
from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import find_centre, open_raster
from rsforge.data.io.threads import map_in_threads
from rsforge.data.views.undeclared_fill import find_fill
from rsforge.data.views.view import PLAIN, Modality, View, choose_positions, find_other_names, open_view
from rsforge.errors import RsforgeError
from rsforge.wording import agree, count_noun

Span = tuple[float, float] | Literal["percentile"] | None
"""The values that become black and white; ``percentile`` takes them from the data."""

SAMPLED = 16  # files whose headers are compared
MEASURED = 64  # files whose values give the percentiles
_COMPARED = 4  # files whose values are compared with the range
_MOST_OUTSIDE = 0.9  # of the values of a file
PERCENTILES = (2.0, 98.0)
_PIXELS = 1 << 16  # of a file


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
        _warn_of_names(settled, infos)
    elif not settled.view.bands:
        _settle_polarisations(settled, infos)
    _note_order(settled, infos, modality)
    _note_scales(settled, infos, modality)
    pictures = [info for info in infos if info.pictures > 1]
    if pictures:
        some = f"{len(pictures)} of {count_noun(len(infos), 'sampled file')} {agree(len(pictures), 'holds', 'hold')}"
        settled.notes.append(f"{some} several pictures, of which the first is read: {pictures[0].path.name}")
    settled.notes += _describe_stacks(infos)
    if beside := [info for info in infos if info.mask_beside]:
        name = f"{beside[0].path.name}.msk"
        some = f"{len(beside)} of {count_noun(len(infos), 'sampled file')}"
        settled.notes.append(f"masks in files beside {some} say where they hold data: {name}")
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
            f"{_join_roles(settled.view.bands)} ({without[0].path.name})"
        )


def _warn_of_names(settled: Settled, infos: Sequence[RasterInfo]) -> None:
    """Warn of three bands that are read as colours although their names say no colours, as infrared composites."""
    others = [(info, names) for info in infos if (names := find_other_names(info, settled.view))]
    if others:
        info, names = others[0]
        settled.warnings.append(
            f"the bands of {info.path.name} are called {names} ({len(others)} of "
            f"{count_noun(len(infos), 'sampled file')}), and are read as red, green and blue in this order: --bands "
            "names others"
        )


def _polarisations(info: RasterInfo, view: View) -> tuple[str, ...]:
    """The polarisations of a file in the order in which they are read; none where it does not name them once each."""
    try:
        roles = [info.meanings[k].role for k in choose_positions(info, replace(view, bands=()), "sar")]
    except UnreadableError:
        return ()
    return tuple(roles) if roles and len(set(roles)) == len(roles) and set(roles) <= set(POLARISATIONS) else ()


def _note_order(settled: Settled, infos: Sequence[RasterInfo], modality: Modality) -> None:
    """Say where bands are read in another order than they are stored in, or some are left aside."""
    orders: Counter[tuple[int, ...]] = Counter()
    for info in infos:
        try:
            positions = tuple(choose_positions(info, settled.view, modality))
        except UnreadableError:
            continue
        if positions != tuple(range(info.bands)):
            orders[positions] += 1
    if not orders:
        return
    named = settled.view.bands or (COLOURS if modality == "optical" else ())
    what = "the bands" if any(band.isdecimal() for band in named) else _join_roles(named) or "the bands"
    parts = [f"{','.join(str(k + 1) for k in order)} in {count}" for order, count in orders.most_common(3)]
    are = "is band" if len(orders.most_common(1)[0][0]) == 1 else "are the bands"
    settled.notes.append(f"{what} {are} {' and '.join(parts)} of {count_noun(len(infos), 'sampled file')}")


def _note_scales(settled: Settled, infos: Sequence[RasterInfo], modality: Modality) -> None:
    """Say which scales and offsets are applied."""
    found: Counter[tuple[float, float]] = Counter()
    for info in infos:
        if info.dtype == "uint8" and modality == "optical" and settled.view.span is None:
            continue
        found.update({(meaning.scale, meaning.offset) for meaning in info.meanings} - {(1.0, 0.0)})
    if found:
        parts = [f"scale {scale:g} and offset {offset:g} in {count}" for (scale, offset), count in found.most_common(3)]
        said = f"values are scaled as metadata or the names of products say: {', '.join(parts)}"
        settled.notes.append(f"{said} of {len(infos)} sampled files")


def _describe_stacks(infos: Sequence[RasterInfo]) -> list[str]:
    """Say which files are taken as bands of one image, and which are left out for their grid."""
    stacks = [info for info in infos if is_stack(info.path)]
    if not stacks:
        return []
    sets = Counter(tuple(meaning.name for meaning in info.meanings) for info in stacks)
    parts = [f"{', '.join(bands)} in {count}" for bands, count in sets.most_common(3)]
    said = f"files of one band are read as one image: {' and '.join(parts)}"
    notes = [f"{said} of {count_noun(len(infos), 'sampled image')}"]
    left_out = list(dict.fromkeys(name for info in stacks for name in info.left_out))
    if left_out:
        are = agree(len(left_out), "is", "are")
        notes.append(f"{', '.join(left_out)} {are} left out: the pixels lie on another grid than those of these bands")
    return notes


def _join_roles(roles: Sequence[str]) -> str:
    return ", ".join(role.upper() if role in POLARISATIONS else role for role in roles)


def _warn_of_fill(settled: Settled, files: Sequence[Path], modality: Modality) -> None:
    """Warn of a value that fills areas at the border of some of the files; 8-bit pictures have dark and white areas."""
    found: dict[float, list[tuple[Path, float]]] = {}
    for path in files:
        try:
            with open_view(path, settled.view, modality) as raster:
                if raster.info.dtype == "uint8":
                    continue
                read = raster.read(find_centre(raster.info))
        except UnreadableError:
            continue
        fill = find_fill(read.values, read.valid)
        if fill is not None:
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
