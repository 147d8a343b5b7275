"""What becomes of every image of a translation: its file, its tiles, or the reason why it cannot be used."""

from __future__ import annotations

import numpy as np

from rsforge.data.io.georeference import BandMetadata, RasterInfo
from rsforge.data.io.image_reader import MAX_PIXELS
from rsforge.data.io.raster_writer import RASTERS
from rsforge.data.io.threads import map_in_threads
from rsforge.data.scenes.inputs import InputImage, InputImages
from rsforge.data.scenes.sample_windows import spread_windows
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.translation import Translation
from rsforge.recipes.inference import output_paths
from rsforge.recipes.inference.sar_values import UNIT_SYMBOLS
from rsforge.recipes.inference.skipped_images import SkippedImages
from rsforge.recipes.inference.tiled import ImageJob, readable
from rsforge.settings.cyclegan import CycleGanTranslateSettings

_Header = tuple[RasterInfo, BandMetadata | None]


def plan_jobs(
    settings: CycleGanTranslateSettings, own: Translation, found: InputImages, skipped: SkippedImages, *, single: bool
) -> tuple[list[ImageJob], list[ImageJob]]:
    """The jobs to do, and those whose files are there already; RSF-U004 or RSF-U005 for names that are taken."""
    for where, reason in found.missing:
        with skipped.skip_unusable(where):
            raise RsforgeError("RSF-D002", "an image of the list is not there", where=where, found=reason)
    jobs = []
    for source, header in map_in_threads(lambda source: _read_header(own, source), found.images):
        with skipped.skip_unusable(str(source.path)):
            if isinstance(header, RsforgeError):
                raise header
            jobs.append(_make_job(settings, own, source, *header, single=single))
    skipped.check_any(jobs)
    targets = [job.target.path for job in jobs]
    output_paths.check_targets(found.images, [job.source.path for job in jobs], targets)
    if not settings.overwrite:
        output_paths.check_free(targets, skip_existing=settings.skip_existing)
    there = [job for job in jobs if settings.skip_existing and job.target.path.is_file()]
    kept = {job.target.path for job in there}
    jobs = _drop_contradicting(own, [job for job in jobs if job.target.path not in kept], skipped)
    _warn_unplaced(jobs, skipped.console)
    return jobs, there


def _read_header(own: Translation, source: InputImage) -> tuple[InputImage, _Header | RsforgeError]:
    """What the header says, or why the image cannot be used."""
    try:
        with readable(source.path, own.view, own.modality) as raster:
            info = raster.info
        own.takes.check_bands(info, chosen=own.chosen, taker="the generator")
        own.check(np.empty(0, info.dtype), str(source.path))
    except RsforgeError as error:
        return source, error
    return source, (info, raster.metadata)


def _make_job(
    settings: CycleGanTranslateSettings,
    own: Translation,
    source: InputImage,
    info: RasterInfo,
    notes: BandMetadata | None,
    *,
    single: bool,
) -> ImageJob:
    as_raster = not own.in_pictures or notes is not None or info.path.suffix.lower() in RASTERS
    path = (
        settings.output if single else output_paths.path_below(settings.output, source, ".tif" if as_raster else ".png")
    )
    if path.suffix.lower() not in RASTERS and (not own.in_pictures or info.height * info.width > MAX_PIXELS):
        why = f"of {info.height} x {info.width} pixels" if own.in_pictures else f"of values in {own.made.unit}"
        raise RsforgeError("RSF-U006", f"{path.name} cannot hold an image {why}", where="--output", fix="name it .tif")
    floats, bands = own.made.unit != "uint8", len(own.bands)
    target = RasterInfo(
        path, info.height, info.width, bands, "float32" if floats else "uint8", np.nan if floats else None, info.grid,
        "" if floats or bands != 3 else "RGB", control=info.control,
    )  # fmt: skip
    return ImageJob(info, target, _notes(own, notes), own.tile_grid(info), own.view, own.modality)


def _notes(own: Translation, notes: BandMetadata | None) -> BandMetadata:
    """Those of the source that are not of its bands, and what was done."""
    unit, count = UNIT_SYMBOLS.get(own.made.unit), len(own.bands)
    tags = (notes.tags if notes else {}) | own.tags
    return BandMetadata(tags, [{}] * count, list(own.bands), [unit] * count, [1.0] * count, [0.0] * count)


def _drop_contradicting(own: Translation, jobs: list[ImageJob], skipped: SkippedImages) -> list[ImageJob]:
    """The jobs whose values can be in the unit, by the same windows of an image whatever its tiles."""
    if own.given.unit == "uint8":  # the header says it all
        return jobs
    kept = []
    # Two at once: some formats are decoded whole, however small the window.
    for job, error in map_in_threads(lambda job: (job, _find_contradiction(own, job.source)), jobs, 2):
        with skipped.skip_unusable(str(job.source.path)):
            if error is not None:
                raise error
            kept.append(job)
    return kept


def _find_contradiction(own: Translation, info: RasterInfo) -> RsforgeError | None:
    try:
        with readable(info.path, own.view, own.modality) as raster:
            parts = [raster.read(window) for window in spread_windows(raster.info.height, raster.info.width)]
        own.check(np.concatenate([part.values[part.valid] for part in parts]), str(info.path))
    except RsforgeError as error:
        return error
    return None


def _warn_unplaced(jobs: list[ImageJob], console: Console) -> None:
    """Name the images whose place on the earth is lost."""
    reasons = [(job.target.path.name, _why_unplaced(job)) for job in jobs]
    unplaced = [(name, reason) for name, reason in reasons if reason]
    for name, reason in unplaced[: output_paths.NAMED]:
        console.warn(f"{name} is not georeferenced: {reason}")
    if len(unplaced) > output_paths.NAMED:
        console.warn(f"{len(unplaced) - output_paths.NAMED} more are not georeferenced")


def _why_unplaced(job: ImageJob) -> str:
    if job.source.grid is None and job.source.control is None:
        return job.source.note
    return "" if job.target.path.suffix.lower() in RASTERS else "only a .tif says where on the earth it lies"
