"""One scene of Landsat through both stages, tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rsforge.data.cubes.cube_output import WriteWindow
from rsforge.data.io.windows import Window
from rsforge.data.scenes.core_tiles import CoreTiles, Reach, scale_window, window_within
from rsforge.data.scenes.landsat_scene import LandsatScene
from rsforge.errors import RsforgeError
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.recipes.console import Meter
from rsforge.recipes.hsi.prediction import Stages, predict_detail, predict_spectra, project_detail, project_spectra
from rsforge.recipes.inference.seams import Seams

CORE, FINE_CORE = 240, 32
"""Pixels of Landsat that a tile adds by default: of stage 1 alone, and at the least of both stages."""

BLOCK = 16
"""Tiles of a GeoTIFF are multiples of it, so that each is written once."""


@dataclass(frozen=True)
class TilePlan:
    """What is computed at once: ``core`` pixels of Landsat each way, and around them what each network needs.

    ``short`` is True where this is less than their receptive fields, so that tiles may differ at their seams.
    """

    core: int
    first: Reach
    second: Reach
    short: bool


def plan_tiles(stages: Stages, height: int, width: int, tile: int | None, overlap: int | None) -> TilePlan:
    """Tiles of at most ``tile`` pixels that share ``overlap``, by default as much as the networks need.

    A network whose field is the whole image gets a quarter of the tile. RSF-U005 where nothing of a tile would be left.
    """
    networks = [stages.spectral.network, *([stages.spatial.network] if stages.spatial else [])]
    steps = [network.tile_step for network in networks]
    margins = [_margin(network) for network in networks]
    align = math.lcm(*steps, BLOCK * stages.scale.denominator)
    bounded = None not in margins
    margins[-1] = None if margins[-1] is None else margins[-1] + 1  # the pixel past the edge, for the seams
    known = sum(margin or 0 for margin in margins)
    default = max(FINE_CORE, known) if stages.spatial else CORE
    core = -(-default // align) * align
    shared = (2 * known if bounded else max(2 * known, (tile or 2 * core) // 4)) if overlap is None else overlap
    if tile is not None:
        core = (tile - shared) // align * align
    if core < align:
        what = f"tiles of {tile} pixels that share {shared} leave nothing to each"
        fix = f"use --tile {shared + align} or more"
        raise RsforgeError("RSF-U005", what, where="--tile, --overlap", fix=fix)
    if max(height, width) <= core + shared:
        core = -(-max(height, width) // align) * align  # in one piece, without a seam
    second = margins[-1] if len(margins) > 1 else 0
    second = min(shared // 2, shared // 4 if second is None else second)
    short = (not bounded or shared < 2 * known) and core < max(height, width)
    return TilePlan(core, Reach(shared // 2 - second, steps[0]), Reach(second, stages.scale.denominator), short)


def _margin(network: BandNetwork) -> int | None:
    field = network.receptive_field
    return None if field is None else field // 2


@dataclass
class SceneFigures:
    """Counts of pixels of Landsat: with data, and of these the ones that projections did not make consistent."""

    valid: int = 0
    unmet: int = 0
    seams: Seams = field(default_factory=Seams)

    def as_dict(self, projected: bool) -> dict[str, Any]:
        unmet = {"unmet": self.unmet} if projected else {}
        return {"valid": self.valid, **unmet, "seams": self.seams.figures()}


def predict_scene(stages: Stages, scene: LandsatScene, plan: TilePlan, put: WriteWindow, meter: Meter) -> SceneFigures:
    """Predict every tile and write it as soon as it is made."""
    figures = SceneFigures()
    for core in CoreTiles(scene.info.height, scene.info.width, plan.core, stages.scale):
        _predict_tile(stages, scene, plan, core, put, figures)
        meter.step()
    return figures


def _predict_tile(
    stages: Stages, scene: LandsatScene, plan: TilePlan, core: Window, put: WriteWindow, figures: SceneFigures
) -> None:
    size = scene.info.height, scene.info.width
    outer = plan.second.widen(core, *size) if stages.spatial else core
    first = plan.first.widen(outer, *size)
    landsat = torch.from_numpy(scene.read(first))
    measured = _cut(landsat, core, first)
    valid = int(measured.isfinite().all(0).sum())
    figures.valid += valid
    target = scale_window(core, stages.scale)
    if not valid:  # the borders of Landsat scenes
        put(target, torch.full((stages.bands, target.height, target.width), torch.nan).numpy())
        return
    spectra, unmet = predict_spectra(stages.spectral, landsat), 0
    if stages.spatial is None:
        figures.seams.add(core, spectra, first)
        result = _cut(spectra, core, first)
        if stages.response is not None:
            result, met = project_spectra(result, measured, stages.response)
            unmet = valid - int(met.sum())
    else:
        spectra = _cut(spectra, outer, first)
        if stages.response is not None:
            spectra, _ = project_spectra(spectra, _cut(landsat, outer, first), stages.response)
        fine, around = predict_detail(stages.spatial, spectra), scale_window(outer, stages.scale)
        figures.seams.add(target, fine, around)
        result = _cut(fine, target, around)
        if stages.response is not None:
            result, met = project_detail(result, measured, stages.response, stages.scale)
            unmet = valid - int(met.sum())
    figures.unmet += unmet
    put(target, result.numpy())


def _cut(image: Tensor, window: Window, outer: Window) -> Tensor:
    return image[(slice(None), *window_within(window, outer))]
