"""Images of any size through a function of tiles, and into their files: the large ones strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rsforge.data.io.georeference import Mask, Notes, Opened, RasterInfo
from rsforge.data.io.image_reader import UnreadableError, unreadable
from rsforge.data.io.raster_writer import canvas
from rsforge.data.io.rasters import opened
from rsforge.data.scenes.tiling import Floats, Mosaic
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, Meter

Values = npt.NDArray[Any]
_OF_ONE_IMAGE = ("RSF-D002", "RSF-D003", "RSF-D010")


@dataclass(frozen=True)
class ImageJob:
    """An image, the one that is made of it, what to say in that, and the tiles between them."""

    source: RasterInfo
    target: RasterInfo
    notes: Notes | None
    mosaic: Mosaic


@dataclass
class LeftOut:
    """What to do about images that cannot be used, and which were left out; ``empty`` were made of no valid pixel."""

    show: Console
    on_bad: str
    images: list[dict[str, str]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    @contextmanager
    def instead(self, name: str) -> Iterator[None]:
        """Leave an image out that cannot be read, has another shape or other values, where that is wanted."""
        try:
            yield
        except RsforgeError as error:
            if self.on_bad == "error" or error.code not in _OF_ONE_IMAGE:
                raise
            reason = f"{error.what}: {error.found}" if error.found else error.what
            self.images.append({"name": name, "reason": reason})
            self.show.warn(f"left out {reason if name in reason else f'{name}: {reason}'}")

    def check_any(self, jobs: Sequence[object]) -> None:
        """RSF-D001 when no image is left."""
        if not jobs:
            what, fix = f"No images left: none of {len(self.images)} can be used", "the warnings say why of each"
            raise RsforgeError("RSF-D001", what, where="--input", fix=fix)

    def note_empty(self, name: str) -> None:
        """Tell of an image that holds no data at all."""
        self.empty.append(name)
        self.show.warn(f"{name} has no valid pixel, and neither has what is made of it")


@contextmanager
def readable(path: Path) -> Iterator[Opened]:
    """The raster of ``path``; RSF-D002 when it, or a window of it, cannot be read."""
    try:
        with opened(path) as raster:
            yield raster
    except UnreadableError as reason:
        raise unreadable(path, str(reason)) from None


@dataclass(frozen=True)
class Tiled:
    """``network`` on batches of tiles ``(B, C, T, T)``, between the values of files and what it takes and gives.

    ``before(values, valid)`` makes float32 (T, T, C) of a tile, ``after(x)`` makes values of float32 (h, W, C').
    Images whose tiles fit in one batch share it.
    """

    network: Callable[[Tensor], Tensor]
    batch_size: int
    before: Callable[[Values, Mask], Floats]
    after: Callable[[Floats], Values]

    def run(self, jobs: Sequence[ImageJob], left_out: LeftOut, meter: Meter) -> Iterator[ImageJob]:
        """Do the jobs in order, ``meter`` counting tiles; those that were done."""
        for group in _grouped(jobs, self.batch_size):
            if len(group) > 1:
                yield from self._together(group, left_out, meter)
            else:
                yield from self._alone(group[0], left_out, meter)

    def _alone(self, job: ImageJob, left_out: LeftOut, meter: Meter) -> Iterator[ImageJob]:
        with left_out.instead(str(job.source.path)), readable(job.source.path) as raster:
            self._write(job, self._through(self._tiles(job, raster), meter), left_out)
            yield job

    def _together(self, jobs: list[ImageJob], left_out: LeftOut, meter: Meter) -> Iterator[ImageJob]:
        read: list[tuple[ImageJob, list[Floats]]] = []
        for job in jobs:
            with left_out.instead(str(job.source.path)), readable(job.source.path) as raster:
                read.append((job, list(self._tiles(job, raster))))
        made = self._through(chain.from_iterable(tiles for _, tiles in read), meter)
        for job, _ in read:
            self._write(job, islice(made, len(job.mosaic)), left_out)
            yield job

    def _tiles(self, job: ImageJob, raster: Opened) -> Iterator[Floats]:
        """What the network takes, and as a last channel where it holds data."""
        info = raster.info
        if (info.height, info.width, info.bands) != (job.source.height, job.source.width, job.source.bands):
            raise unreadable(job.source.path, "it changed after it was looked at")
        for window in job.mosaic.bands():
            band = raster.read(window)
            for values, valid in zip(job.mosaic.cut(band.values), job.mosaic.cut(band.valid), strict=True):
                x = np.concatenate([self.before(values, valid), valid[..., None]], axis=-1, dtype=np.float32)
                yield np.moveaxis(x, -1, 0)

    @torch.no_grad()
    def _through(self, tiles: Iterable[Floats], meter: Meter) -> Iterator[Floats]:
        source = iter(tiles)
        while batch := list(islice(source, self.batch_size)):
            x = torch.from_numpy(np.stack(batch))
            y = self.network(x[:, :-1])
            made = torch.cat([y.float().cpu(), x[:, -1:]], 1).numpy()
            meter.step(len(batch))
            yield from made

    def _write(self, job: ImageJob, tiles: Iterable[Floats], left_out: LeftOut) -> None:
        info, holds = job.target, False
        info.path.parent.mkdir(parents=True, exist_ok=True)
        with canvas(info.path, info, job.notes) as put:
            for strip in job.mosaic.blend(tiles):
                values, valid = self.after(np.moveaxis(strip[:-1], 0, -1)), strip[-1] > 0.5
                values[~valid] = info.nodata or 0
                holds = holds or bool(valid.any())
                put(values, valid)
        if not holds:
            left_out.note_empty(str(job.source.path))


def _grouped(jobs: Sequence[ImageJob], batch_size: int) -> Iterator[list[ImageJob]]:
    """Images whose tiles fill no more than a batch together; larger ones alone."""
    group: list[ImageJob] = []
    for job in jobs:
        size = sum(len(other.mosaic) for other in group) + len(job.mosaic)
        if group and (size > batch_size or job.mosaic.tile != group[0].mosaic.tile):
            yield group
            group = []
        group.append(job)
    if group:
        yield group
