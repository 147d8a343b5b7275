"""Images of any size through a function of tiles, and into their files: the large ones strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rsforge.data.io.georeference import BandMetadata, Mask, OpenRaster, RasterInfo
from rsforge.data.io.image_reader import UnreadableError, unreadable_error
from rsforge.data.io.raster_writer import raster_writer
from rsforge.data.scenes.blend_weights import Floats
from rsforge.data.scenes.tiling import TileGrid, TileWindow, scale_mask
from rsforge.data.views.view import PLAIN, BandsError, Modality, View, open_view
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Meter
from rsforge.recipes.inference.broken_images import refuse_broken
from rsforge.recipes.inference.skipped_images import SkippedImages

Values = npt.NDArray[Any]
TileNetwork = Callable[[Tensor, Sequence[TileWindow]], Tensor]
"""Tiles ``(B, C, T, T)`` and where each lies to tiles ``(B, C', T * scale, T * scale)``."""


@dataclass(frozen=True)
class ImageJob:
    """An image, the one that is made of it, what to say in that, and the tiles between them.

    ``target`` is of the size that the grid's result has; ``source``, of ``modality``, is read by ``view``.
    """

    source: RasterInfo
    target: RasterInfo
    notes: BandMetadata | None
    grid: TileGrid
    view: View = PLAIN
    modality: Modality = "sar"


class _Tile(NamedTuple):
    """What the network takes and as a last channel where it holds data ``(C + 1, T, T)``; and where it lies."""

    x: Floats
    window: TileWindow
    scale: Fraction


@contextmanager
def readable(path: Path, view: View, modality: Modality) -> Iterator[OpenRaster]:
    """The raster of ``path`` as ``view`` reads it.

    RSF-D002 when it, or a window of it, cannot be read; RSF-D003 for bands that it does not have.
    """
    try:
        with open_view(path, view, modality) as raster:
            yield raster
    except BandsError as reason:
        fix = "name the bands of the training, in its order, with --bands"
        error = reason.error or RsforgeError("RSF-D003", f"{path}: {reason}", where=str(path), fix=fix)
        raise error from None
    except UnreadableError as reason:
        raise unreadable_error(path, str(reason)) from None


@dataclass(frozen=True)
class Tiled:
    """``network`` on batches of tiles, between the values of files and what it takes and gives.

    It is handed the window of every tile beside its pixels: noise drawn for a place, or an encoding of positions, then
    agree where tiles overlap. ``before(values, valid)`` makes float32 (T, T, C) of a tile, ``after(x)`` makes values of
    float32 (h, W, C'). Images whose tiles fit in one batch share it.
    """

    network: TileNetwork
    batch_size: int
    before: Callable[[Values, Mask], Floats]
    after: Callable[[Floats], Values]

    def run(self, jobs: Sequence[ImageJob], skipped: SkippedImages, meter: Meter) -> Iterator[ImageJob]:
        """Do the jobs in order, ``meter`` counting tiles; those that were done."""
        for group in _jobs_by_batch(jobs, self.batch_size):
            if len(group) > 1:
                yield from self._run_together(group, skipped, meter)
            else:
                yield from self._run_alone(group[0], skipped, meter)

    def _run_alone(self, job: ImageJob, skipped: SkippedImages, meter: Meter) -> Iterator[ImageJob]:
        with skipped.skip_unusable(str(job.source.path)), readable(job.source.path, job.view, job.modality) as raster:
            self._write(job, self._predict(self._read_tiles(job, raster), meter), skipped)
            yield job

    def _run_together(self, jobs: list[ImageJob], skipped: SkippedImages, meter: Meter) -> Iterator[ImageJob]:
        read: list[tuple[ImageJob, list[_Tile]]] = []
        for job in jobs:
            with (
                skipped.skip_unusable(str(job.source.path)),
                readable(job.source.path, job.view, job.modality) as raster,
            ):
                read.append((job, list(self._read_tiles(job, raster))))
        made = self._predict(chain.from_iterable(tiles for _, tiles in read), meter)
        for job, _ in read:
            self._write(job, islice(made, len(job.grid)), skipped)
            yield job

    def _read_tiles(self, job: ImageJob, raster: OpenRaster) -> Iterator[_Tile]:
        info, windows = raster.info, job.grid.windows()
        if (info.height, info.width, info.bands) != (job.source.height, job.source.width, job.source.bands):
            raise unreadable_error(job.source.path, "it changed after it was looked at")
        for band_window in job.grid.bands():
            band = raster.read(band_window)
            for values, valid in zip(job.grid.cut(band.values), job.grid.cut(band.valid), strict=True):
                x = np.concatenate([self.before(values, valid), valid[..., None]], axis=-1, dtype=np.float32)
                yield _Tile(np.moveaxis(x, -1, 0), next(windows), job.grid.scale)

    @torch.no_grad()
    def _predict(self, tiles: Iterable[_Tile], meter: Meter) -> Iterator[Floats]:
        """What the network makes of tiles, and as a last channel where it holds data."""
        source = iter(tiles)
        while batch := list(islice(source, self.batch_size)):
            x = torch.from_numpy(np.stack([tile.x for tile in batch]))
            # The network gets a view: kernels round by the strides of what they are given.
            made = self.network(x[:, :-1], [tile.window for tile in batch]).float().cpu()
            refuse_broken(made, [f"tile at {tile.window.source.row}, {tile.window.source.col}" for tile in batch])
            y = made.numpy()
            meter.step(len(batch))
            for pixels, tile in zip(y, batch, strict=True):
                valid = scale_mask(tile.x[-1] > 0, tile.scale)
                yield np.concatenate([pixels, valid[None]], dtype=np.float32)

    def _write(self, job: ImageJob, tiles: Iterable[Floats], skipped: SkippedImages) -> None:
        info, holds = job.target, False
        info.path.parent.mkdir(parents=True, exist_ok=True)
        with raster_writer(info.path, info, job.notes) as put:
            for strip in job.grid.blend(tiles):
                values, valid = self.after(np.moveaxis(strip[:-1], 0, -1)), strip[-1] > 0.5
                values[~valid] = info.nodata or 0
                holds = holds or bool(valid.any())
                put(values, valid)
        if not holds:
            skipped.note_empty(str(job.source.path))


def _jobs_by_batch(jobs: Sequence[ImageJob], batch_size: int) -> Iterator[list[ImageJob]]:
    """Images whose tiles fill no more than a batch together; larger ones alone."""
    group: list[ImageJob] = []
    for job in jobs:
        size = sum(len(other.grid) for other in group) + len(job.grid)
        if group and (size > batch_size or not _share_batch(job.grid, group[0].grid)):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def _share_batch(grid: TileGrid, other: TileGrid) -> bool:
    return (grid.tile, grid.scale) == (other.tile, other.scale)
