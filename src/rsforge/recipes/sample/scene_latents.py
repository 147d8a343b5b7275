"""A scene of any size through a diffusion model of one tile: at each step all tiles, blended, make the next state.

Bar-Tal et al. 2023 (MultiDiffusion, arXiv 2302.08113), section 4.1, with the weights of blended tiles in place of
equal ones. The latents of the scene are held whole, its pixels only tile by tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from rsforge.data.io.windows import Window
from rsforge.data.scenes.blend_weights import Floats
from rsforge.data.scenes.tiling import TileGrid
from rsforge.recipes.diffusion.pipeline import Guide, Start, Walk
from rsforge.recipes.diffusion.sar_pipeline import SAR, TEXT, SarPipeline

TileFunction = Callable[[Tensor], Tensor]
"""Tiles ``(B, C, T, T)`` to tiles ``(B, C', T', T')``."""


@dataclass(frozen=True)
class SceneGrids:
    """The tiles of a scene of ``height`` x ``width`` pixels, and of its latents, ``factor`` times as narrow.

    ``tile`` and ``overlap`` are pixels and multiples of ``factor``. A scene whose sides are none is continued by its
    mirror image.
    """

    height: int
    width: int
    tile: int
    overlap: int
    factor: int

    @property
    def encoding(self) -> TileGrid:
        """From pixels to latents."""
        height, width = (-(-side // self.factor) * self.factor for side in (self.height, self.width))
        return TileGrid(height, width, self.tile, self.overlap, Fraction(1, self.factor))

    @property
    def walking(self) -> TileGrid:
        """From latents to latents."""
        return self._of_latents(1)

    @property
    def decoding(self) -> TileGrid:
        """From latents to pixels."""
        return self._of_latents(self.factor)

    def _of_latents(self, scale: int) -> TileGrid:
        height, width = self.encoding.result_size
        return TileGrid(height, width, self.tile // self.factor, self.overlap // self.factor, Fraction(scale))

    def read_tiles(self, read: Callable[[Window], Floats]) -> Iterator[Floats]:
        """The tiles ``(T, T, C)`` of pixels; ``read`` gives those ``(h, w, C)`` of a window inside the scene."""
        for band in self.encoding.bands():
            inside = Window(band.row, 0, min(band.height, self.height - band.row), self.width)
            yield from self.encoding.cut(read(inside))


@dataclass(frozen=True)
class SceneDrawing:
    """What is drawn of the latents ``sar`` ``(C, h, w)`` of a scene's SAR image, and how."""

    sar: Tensor
    prompt: str
    guidance_scale: float
    strength: float


@dataclass(frozen=True)
class ScenePainter:
    """A model on the tiles of one scene, ``batch_size`` at a time."""

    pipeline: SarPipeline
    grids: SceneGrids
    batch_size: int
    on_tiles: Callable[[int], None]

    def encode(self, read: Callable[[Window], Floats]) -> Tensor:
        """The latents ``(C, h, w)`` of the SAR image whose windows ``read`` gives in [-1, 1], not standardised."""
        return self._join(self.grids.encoding, self.grids.read_tiles(read), self.pipeline.encode)

    def walk(self, drawing: SceneDrawing, walk: Walk, *, seed: int, number: int) -> Tensor:
        """One draw of the standardised optical latents ``(C, h, w)``; ``number`` and ``seed`` choose its noise."""
        start = Start(drawing.sar[None], drawing.strength) if drawing.strength < 1 else None
        network = self._tiled_network(drawing)
        latents = self.pipeline.latents
        drawn: Tensor = latents.walk_latents(network, drawing.sar.shape, [number], walk, seed=seed, start=start)
        return drawn[0]

    def decode(self, latents: Tensor) -> Iterator[Floats]:
        """Strips ``(K, 3, rows, W)`` from the top of the images of K draws ``(K, C, h, w)``, in [-1, 1]."""
        grid, count = self.grids.decoding, len(latents)

        def images_of(tiles: Tensor) -> Tensor:
            few = tiles.unflatten(1, (count, -1)).flatten(0, 1).split(self.batch_size)
            images = torch.cat([self.pipeline.latents.decode(part) for part in few])
            side_by_side: Tensor = images.unflatten(0, (len(tiles), count)).flatten(1, 2)
            return side_by_side

        for strip in self._strips(grid, _cut(grid, latents.flatten(0, 1)), images_of):
            yield strip.reshape(count, 3, *strip.shape[1:])[..., : self.grids.width]

    def _tiled_network(self, drawing: SceneDrawing) -> Callable[[Tensor, Tensor], Tensor]:
        """The denoiser of a whole scene ``(1, C, h, w)``: its guided output on every tile, blended."""
        standard, context = self.pipeline.sar.apply(drawing.sar[None])[0], self.pipeline.reader([drawing.prompt])
        grid, channels = self.grids.walking, len(drawing.sar)

        def network(x_t: Tensor, t: Tensor) -> Tensor:
            def output_of(tiles: Tensor) -> Tensor:
                x, sar = tiles.split((tiles.shape[1] - channels, channels), 1)
                inputs = {TEXT: context.expand(len(x), -1, -1), SAR: sar}
                guided = self.pipeline.latents.guide_network(Guide(inputs, drawing.guidance_scale, [TEXT]))
                return guided(x, t.expand(len(x)))

            return self._join(grid, _cut(grid, torch.cat([x_t[0], standard])), output_of)[None]

        return network

    def _join(self, grid: TileGrid, tiles: Iterable[Floats], function: TileFunction) -> Tensor:
        strips = list(self._strips(grid, tiles, function))
        return torch.from_numpy(np.concatenate(strips, axis=1)).to(self.pipeline.sar.mean.device)

    @torch.no_grad()
    def _strips(self, grid: TileGrid, tiles: Iterable[Floats], function: TileFunction) -> Iterator[Floats]:
        yield from grid.blend(self._in_batches(tiles, function))

    def _in_batches(self, tiles: Iterable[Floats], function: TileFunction) -> Iterator[Floats]:
        source, device = iter(tiles), self.pipeline.sar.mean.device
        while batch := list(islice(source, self.batch_size)):
            x = torch.from_numpy(np.stack(batch)).movedim(-1, 1).contiguous()
            made = function(x.to(device)).float().cpu().numpy()
            self.on_tiles(len(batch))
            yield from made


def count_tiles(grids: SceneGrids, steps: int, draws: int) -> int:
    """How many tiles go through a network: to be encoded, in every step of each draw, and to be decoded."""
    return len(grids.encoding) + draws * steps * len(grids.walking) + len(grids.decoding)


def tile_multiple(pipeline: SarPipeline) -> int:
    """What sides and overlap of tiles must be multiples of, in pixels: the U-Net halves the latents of a tile."""
    halvings = len(pipeline.latents.denoiser.architecture["block_out_channels"]) - 1
    return int(pipeline.factor * 2**halvings)


def _cut(grid: TileGrid, image: Tensor) -> Iterator[Floats]:
    """The tiles ``(t, t, C)`` of ``(C, h, w)``."""
    values: Floats = image.float().movedim(0, -1).cpu().numpy()
    for band in grid.bands():
        yield from grid.cut(values[band.row : band.row + band.height])
