"""``rsforge sample scene``: an optical image of a SAR image of any size, where that lies on the earth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from rsforge import __version__, durable, leftovers
from rsforge.data.io.georeference import OpenRaster
from rsforge.data.io.windows import Window
from rsforge.data.scenes.blend_weights import Floats
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.inference.broken_images import find_flat, refuse_broken, warn_of_flat
from rsforge.recipes.inference.output_paths import ALL, check_free, check_place
from rsforge.recipes.inference.sar_values import NetworkInput, choose_radiometry
from rsforge.recipes.inference.tiled import readable
from rsforge.recipes.sample.sar_images import Artist, check_apart, describe, open_artist
from rsforge.recipes.sample.sar_prompts import write_prompt
from rsforge.recipes.sample.scene_files import SceneFiles, check_name
from rsforge.recipes.sample.scene_latents import SceneDrawing, SceneGrids, ScenePainter, count_tiles, tile_multiple
from rsforge.recipes.training import output_dir
from rsforge.recipes.views import choose_of, views_of
from rsforge.samplers.image_to_image import remaining_steps
from rsforge.settings.sample_sar import SampleSceneSettings

SHARED = 4  # a tile shares this part of its side with the next


def draw(settings: SampleSceneSettings, console: Console) -> dict[str, Any]:
    """Draw the scene and write it, beside it the record of how it was made."""
    check_name(settings.output)
    check_place([settings.input], settings.output, single=True)
    artist = open_artist(settings, console)
    radiometry = choose_radiometry(artist.model.radiometry, settings.radiometry, settings.clip)
    takes = NetworkInput(radiometry, artist.model.state["sar_channels"])
    view = choose_of(views_of(artist.model.state).sar, settings.bands, settings.fill)
    with readable(settings.input, view, "sar") as raster:
        takes.check_bands(raster.info, chosen=bool(settings.bands), taker="the model")
        words = {"region": settings.region, "season": settings.season}
        prompt = write_prompt(artist.model.template, settings.prompt, words, console)
        scene = Scene(settings, artist, raster, takes, plan_grids(settings, artist, raster), prompt)
        scene.check_files()
        warn_of_source(artist, raster, console)
        result = scene.describe()
        if console.dry_run:
            return result
        result["valid_pixels"] = scene.write(console)
    if not result["valid_pixels"]:
        console.warn(f"{settings.input} has no valid pixel, and neither has what is made of it")
    durable.write_json(scene.files.record, result)
    return result


@dataclass(frozen=True)
class Scene:
    """A SAR raster, the model that takes it, and what becomes of it."""

    settings: SampleSceneSettings
    artist: Artist
    raster: OpenRaster
    takes: NetworkInput
    grids: SceneGrids
    prompt: str

    @property
    def files(self) -> SceneFiles:
        tags = {
            "TIFFTAG_SOFTWARE": f"rsforge {__version__}",
            "PROMPT": self.prompt,
            "WEIGHTS": self.artist.model.loaded.digest,
            "SEED": str(self.artist.seed),
        }
        also = ("mean", "spread")[: 1 + self.settings.uncertainty] if self.settings.samples > 1 else ()
        return SceneFiles(self.settings.output, self.raster.info, tags, also)

    def check_files(self) -> None:
        """RSF-U004 or RSF-U005 for names that are taken."""
        targets = [*self.files.rasters.values(), self.files.record]
        check_apart(self.settings.input, targets)
        if not self.settings.overwrite:
            check_free(targets, ways=ALL)

    def describe(self) -> dict[str, Any]:
        """The result and record of the call."""
        grids, files = self.grids, {part: str(path) for part, path in self.files.rasters.items()}
        sizes = {"height": grids.height, "width": grids.width, "tile": grids.tile, "overlap": grids.overlap}
        input_and_output = {"input": str(self.settings.input), "output": str(self.files.image), "files": files}
        taken = {"bands": list(self.settings.bands), "radiometry": self.takes.radiometry.as_dict()}
        return {**input_and_output, "prompt": self.prompt, **sizes, **taken, **describe(self.artist)}

    def write(self, console: Console) -> int:
        """Draw it into its files; how many pixels hold data."""
        settings, files = self.settings, self.files
        output_dir.make(files.image.parent)
        leftovers.sweep_for([*files.rasters.values(), files.record])
        steps = len(remaining_steps(self.artist.walk.steps, settings.strength))
        with console.progress("tile", count_tiles(self.grids, steps, settings.samples)) as meter:
            painter = ScenePainter(self.artist.model.pipeline, self.grids, settings.batch_size, meter.step)
            drawing = SceneDrawing(painter.encode(self.read), self.prompt, settings.guidance_scale, settings.strength)
            draws = [
                painter.walk(drawing, self.artist.walk, seed=self.artist.seed, number=number)
                for number in range(settings.samples)
            ]
            names = [f"draw {number + 1} of {self.settings.input}" for number in range(settings.samples)]
            refuse_broken(torch.stack(draws), names, kept="nothing was written")
            return self._write_strips(painter, torch.stack(draws), console)

    def read(self, window: Window) -> Floats:
        """The SAR values of a window as the model takes them; RSF-D010 for values that cannot be in the unit."""
        part = self.raster.read(window)
        self.takes.check_values(part.values[part.valid], str(self.settings.input))
        return self.takes.scale(part.values, part.valid)

    def _write_strips(self, painter: ScenePainter, draws: torch.Tensor, console: Console) -> int:
        row = holds = 0
        flat, colours = True, list[torch.Tensor]()
        with self.files.open() as write:
            for strip in painter.decode(draws):
                rows = min(strip.shape[2], self.grids.height - row)
                valid = self.raster.read(Window(row, 0, rows, self.grids.width)).valid
                pixels = torch.from_numpy(strip[:, :, :rows])
                refuse_broken(pixels, [str(self.settings.input)] * len(pixels), kept="nothing was written")
                flat, colours = flat and bool(find_flat(pixels[:1])), [*colours, pixels[0].mean((1, 2))]
                write(strip[:, :, :rows], valid)
                row, holds = row + rows, holds + int(valid.sum())
        if flat and find_flat(torch.stack(colours, -1)[None, ..., None]):
            warn_of_flat([str(self.files.image)], console)
        return holds


def plan_grids(settings: SampleSceneSettings, artist: Artist, raster: OpenRaster) -> SceneGrids:
    """The tiles of the scene; RSF-U005 for sizes that the networks do not take."""
    tile, multiple = settings.tile or artist.model.image_size, tile_multiple(artist.model.pipeline)
    overlap = tile // SHARED // multiple * multiple if settings.overlap is None else settings.overlap
    for option, value, least in (("--tile", tile, multiple), ("--overlap", overlap, 0)):
        if value % multiple:
            near = max(least, round(value / multiple) * multiple)
            what = f"the networks take tiles whose sides and overlap are multiples of {multiple} pixels"
            raise RsforgeError("RSF-U005", what, where=option, found=str(value), fix=f"use {option} {near}")
    if overlap >= tile:
        what, found = "the overlap of tiles must be less than their side", f"overlap {overlap}, tile {tile}"
        raise RsforgeError("RSF-U005", what, where="--overlap, --tile", found=found)
    return SceneGrids(raster.info.height, raster.info.width, tile, overlap, artist.model.pipeline.factor)


def warn_of_source(artist: Artist, raster: OpenRaster, console: Console) -> None:
    """Name what a user may not expect of the result."""
    if artist.model.state.get("scaled"):
        size = artist.model.image_size
        console.warn(
            f"the training saw pairs that were scaled to {size} x {size} pixels: tiles of another ground resolution, "
            "as this scene may have, can look different"
        )
    if raster.info.grid is None and raster.info.control is None:
        reason = raster.info.note or f"{raster.info.path.name} has no place on the earth"
        console.warn(f"the result is not georeferenced: {reason}")
