"""``rsforge cyclegan translate``: images of any size through one generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rsforge import __version__, durable
from rsforge.data.io.georeference import Mask, Notes, RasterInfo
from rsforge.data.io.image_reader import MAX_PIXELS
from rsforge.data.io.raster_writer import RASTERS
from rsforge.data.io.threads import in_threads
from rsforge.data.pairs.reading import grey_of_rgb
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry, check, declared
from rsforge.data.scenes.inputs import Source, Sources, find_sources
from rsforge.data.scenes.tiling import Floats, Mosaic, spread
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.inference import output_paths
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.inference.tiled import ImageJob, LeftOut, Tiled, Values, readable
from rsforge.settings.cyclegan import CycleGanTranslateSettings

SHARED = 4  # a tile shares this part of its side with the next
_SIDES: dict[str, Any] = {"sar2optical": "sar", "optical2sar": "optical"}
_NAMES = {"db": "sigma0_db", "linear": "sigma0", "dn": "dn", "uint8": "sar"}
_SYMBOLS = {"db": "dB", "linear": "1"}
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class _Translation:
    """A generator, the values on either side of it, its tiles, and what its images say of themselves."""

    net: Pix2PixUNet
    given: Radiometry
    made: Radiometry
    image_size: int
    tile: int
    overlap: int
    tags: dict[str, str]
    bands: tuple[str, ...]

    def before(self, values: Values, valid: Mask) -> Floats:
        x = self.given.to_unit(grey_of_rgb(values) if self.net.in_channels == 1 else values)
        x[~valid] = -1
        return x

    def check(self, values: Values, where: str) -> None:
        fix = "" if self.bands == _COLOURS else "save optical images as red, green and blue of 8 bits"
        check(self.given, values, where=where, fix=fix)

    @property
    def in_pictures(self) -> bool:
        """Whether what is made fits in pictures of 8 bits."""
        return self.made.unit == "uint8" and self.net.out_channels in (1, 3)

    def fits(self, info: RasterInfo) -> bool:
        grey = self.net.in_channels == 1 and (info.dtype, info.bands) == ("uint8", 3)
        return grey or info.bands == self.net.in_channels

    def mosaic(self, info: RasterInfo) -> Mosaic:
        """The tiles of an image: none is larger than that of the training or what the image fills."""
        filled = -(-max(info.height, info.width) // self.net.factor) * self.net.factor
        most = max(self.image_size, filled)
        tiles = (self.tile, self.overlap) if self.tile <= most else (most, 0)
        return Mosaic(info.height, info.width, *tiles)


def translate(settings: CycleGanTranslateSettings, show: Console) -> dict[str, Any]:
    """Translate every image and write it under its name."""
    if settings.overwrite and settings.skip_existing:
        what = "what is there is either replaced or left alone"
        raise RsforgeError("RSF-U005", what, where="--overwrite, --skip-existing", fix="give one of them")
    single = output_paths.is_single(settings.input, settings.output)
    output_paths.check_place(settings.input, settings.output, single=single)
    side, exclude = _SIDES[settings.direction], None if single else settings.output
    found = find_sources(settings.input, side=side, exclude=exclude)
    for note in found.notes:
        show.say(f"images     {note}")
    device = devices.choose(settings.device)
    show.say(f"device     {devices.describe(device)}")
    net, restored = load_generator(settings.checkpoint, device, settings.direction)
    translation = _translation(settings, net, restored)
    if restored.state.get("scaled"):
        show.warn(_scaled(translation.image_size))
    left_out = LeftOut(show, settings.on_bad)
    jobs, there = _planned(settings, translation, found, left_out, single=single)
    if not show.dry_run:
        tiled = Tiled(lambda x: net(x.to(device)), settings.batch_size, translation.before, translation.made.from_unit)
        jobs = _done(settings, tiled, jobs, left_out)
    left_out.check_any([*jobs, *there])
    counts = {"images": len(jobs), "tiles": sum(len(job.mosaic) for job in jobs), "there": len(there)}
    named = {"left_out": left_out.images, "empty": left_out.empty}
    return {"output": str(settings.output), **counts, **named, "direction": settings.direction, "device": str(device)}


def _scaled(image_size: int) -> str:
    seen = f"the training saw pairs that were scaled to {image_size} x {image_size} pixels"
    return f"{seen}: tiles of another ground resolution, as these may have, can look different"


def _done(settings: CycleGanTranslateSettings, tiled: Tiled, jobs: list[ImageJob], left_out: LeftOut) -> list[ImageJob]:
    show = left_out.show
    if not (settings.overwrite or settings.skip_existing):
        show.command += " --skip-existing"  # what goes on after an interruption
    durable.sweep_for(job.target.path for job in jobs)
    with show.progress("tile", sum(len(job.mosaic) for job in jobs)) as meter:
        return list(tiled.run(jobs, left_out, meter))


def _translation(settings: CycleGanTranslateSettings, net: Pix2PixUNet, restored: LoadedModel) -> _Translation:
    image_size = restored.state["image_size"]
    tile = settings.tile or image_size
    overlap = tile // SHARED if settings.overlap is None else settings.overlap
    if tile % net.factor:
        near = max(net.factor, round(tile / net.factor) * net.factor)
        what, fix = f"the generator takes tiles whose side is a multiple of {net.factor}", f"--tile {near}"
        raise RsforgeError("RSF-U005", what, where="--tile, --checkpoint", found=str(tile), fix=fix)
    if overlap >= tile:
        what, found = "the overlap of tiles must be less than their side", f"overlap {overlap}, tile {tile}"
        raise RsforgeError("RSF-U005", what, where="--overlap, --tile", found=found)
    sar = _radiometry(settings, restored)
    tags = {"TIFFTAG_SOFTWARE": f"rsforge {__version__}", "TRANSLATION": settings.direction, "WEIGHTS": restored.digest}
    if settings.direction == "sar2optical":
        return _Translation(net, sar, EIGHT_BIT, image_size, tile, overlap, tags, _COLOURS)
    name, count = _NAMES[sar.unit], net.out_channels
    bands = (name,) if count == 1 else tuple(f"{name}_{k}" for k in range(1, count + 1))
    return _Translation(net, EIGHT_BIT, sar, image_size, tile, overlap, tags, bands)


def _radiometry(settings: CycleGanTranslateSettings, restored: LoadedModel) -> Radiometry:
    """That of the training, unless a unit or a window is given; decibels and powers share their windows."""
    stored = Radiometry.from_dict(restored.state.get("radiometry"), where=str(settings.checkpoint))
    unit = stored.unit if settings.radiometry == "auto" else settings.radiometry
    kept = unit == stored.unit or {unit, stored.unit} <= _SYMBOLS.keys()
    if settings.clip is None and unit == "dn" and not kept:
        what = f"the training says nothing of the range of digital numbers: it had {stored.unit}"
        fix = "give it with --clip LOW HIGH"
        raise RsforgeError("RSF-U005", what, where="--radiometry, --clip", found="--radiometry dn", fix=fix)
    return declared(unit, settings.clip or ((stored.low, stored.high) if kept else None), 0)


def _planned(
    settings: CycleGanTranslateSettings, own: _Translation, found: Sources, left_out: LeftOut, *, single: bool
) -> tuple[list[ImageJob], list[ImageJob]]:
    """What becomes of every image that can be used, and what is there already."""
    for where, reason in found.missing:
        with left_out.instead(where):
            raise RsforgeError("RSF-D002", "an image of the list is not there", where=where, found=reason)
    jobs = []
    for source, judged in in_threads(lambda source: _judged(own, source), found.images):
        with left_out.instead(str(source.path)):
            if isinstance(judged, RsforgeError):
                raise judged
            jobs.append(_job(settings, own, source, *judged, single=single))
    left_out.check_any(jobs)
    targets = [job.target.path for job in jobs]
    output_paths.check_targets(found.images, [job.source.path for job in jobs], targets)
    if not settings.overwrite:
        output_paths.check_free(targets, skip_existing=settings.skip_existing)
    there = [job for job in jobs if settings.skip_existing and job.target.path.is_file()]
    kept = {job.target.path for job in there}
    jobs = _credible(own, [job for job in jobs if job.target.path not in kept], left_out)
    _tell_unplaced(jobs, left_out.show)
    return jobs, there


def _tell_unplaced(jobs: list[ImageJob], show: Console) -> None:
    unplaced = [(job.target.path.name, reason) for job in jobs if (reason := _unplaced(job))]
    for name, reason in unplaced[: output_paths.TOLD]:
        show.warn(f"{name} is not georeferenced: {reason}")
    if len(unplaced) > output_paths.TOLD:
        show.warn(f"{len(unplaced) - output_paths.TOLD} more are not georeferenced")


def _credible(own: _Translation, jobs: list[ImageJob], left_out: LeftOut) -> list[ImageJob]:
    """The jobs whose values can be in the unit, by the same windows of an image whatever its tiles."""
    if own.given.unit == "uint8":  # the header says it all
        return jobs
    kept = []
    # Two at once: some formats are decoded whole, however small the window.
    for job, error in in_threads(lambda job: (job, _contradiction(own, job.source)), jobs, 2):
        with left_out.instead(str(job.source.path)):
            if error is not None:
                raise error
            kept.append(job)
    return kept


def _contradiction(own: _Translation, info: RasterInfo) -> RsforgeError | None:
    try:
        with readable(info.path) as raster:
            parts = [raster.read(window) for window in spread(raster.info.height, raster.info.width)]
        own.check(np.concatenate([part.values[part.valid] for part in parts]), str(info.path))
    except RsforgeError as error:
        return error
    return None


_Header = tuple[RasterInfo, Notes | None]


def _judged(own: _Translation, source: Source) -> tuple[Source, _Header | RsforgeError]:
    """What the header says, or why the image cannot be used."""
    try:
        with readable(source.path) as raster:
            info = raster.info
        if not own.fits(info):
            what = f"{source.path} has {info.bands} band{'s' * (info.bands != 1)}"
            found, fix = f"the generator takes {own.net.in_channels}", "keep the bands that it was trained on"
            raise RsforgeError("RSF-D003", what, where=str(source.path), found=found, fix=fix)
        own.check(np.empty(0, info.dtype), str(source.path))
    except RsforgeError as error:
        return source, error
    return source, (info, raster.notes)


def _job(
    settings: CycleGanTranslateSettings,
    own: _Translation,
    source: Source,
    info: RasterInfo,
    notes: Notes | None,
    *,
    single: bool,
) -> ImageJob:
    as_raster = not own.in_pictures or notes is not None or info.path.suffix.lower() in RASTERS
    path = settings.output if single else output_paths.under(settings.output, source, ".tif" if as_raster else ".png")
    if path.suffix.lower() not in RASTERS and (not own.in_pictures or info.height * info.width > MAX_PIXELS):
        why = f"of {info.height} x {info.width} pixels" if own.in_pictures else f"of values in {own.made.unit}"
        raise RsforgeError("RSF-U006", f"{path.name} cannot hold an image {why}", where="--output", fix="name it .tif")
    floats, bands = own.made.unit != "uint8", len(own.bands)
    target = RasterInfo(
        path, info.height, info.width, bands, "float32" if floats else "uint8", np.nan if floats else None, info.grid,
        "" if floats or bands != 3 else "RGB", control=info.control,
    )  # fmt: skip
    return ImageJob(info, target, _notes(own, notes), own.mosaic(info))


def _notes(own: _Translation, notes: Notes | None) -> Notes:
    """Those of the source that are not of its bands, and what was done."""
    unit, count = _SYMBOLS.get(own.made.unit), len(own.bands)
    tags = (notes.tags if notes else {}) | own.tags
    return Notes(tags, [{}] * count, list(own.bands), [unit] * count, [1.0] * count, [0.0] * count)


def _unplaced(job: ImageJob) -> str:
    if job.source.grid is None and job.source.control is None:
        return job.source.note
    return "" if job.target.path.suffix.lower() in RASTERS else "only a .tif says where on the earth it lies"
