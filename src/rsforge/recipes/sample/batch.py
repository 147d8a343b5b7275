"""``rsforge sample batch``: an optical image for every SAR image of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from rsforge.data.prompts import PromptTemplate
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.scenes.inputs import InputImage, find_inputs
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, Meter
from rsforge.recipes.inference.output_paths import check_place, check_targets
from rsforge.recipes.inference.sar_values import choose_radiometry
from rsforge.recipes.inference.skipped_images import SkippedImages
from rsforge.recipes.sample.sar_images import (
    Artist,
    Order,
    describe,
    open_artist,
    warn_of_one_colour,
    write_all,
    write_manifest,
)
from rsforge.recipes.sample.sar_prompts import complete_template
from rsforge.recipes.sample.single import read_sar
from rsforge.recipes.training import output_dir
from rsforge.settings.sample_sar import SampleBatchSettings
from rsforge.wording import count_noun, join_first


def draw(settings: SampleBatchSettings, console: Console) -> dict[str, Any]:
    """Draw all images; one that fails is named and the rest is done. RSF-D002 at the end where any failed.

    RSF-U005 where two images would become one file, or one would take the place of a SAR image.
    """
    check_place([settings.input_dir], settings.output_dir, single=False)
    found = find_inputs([settings.input_dir], modality="sar", exclude=settings.output_dir)
    jobs = list_jobs(settings, found.images)
    check_targets(found.images, [job.image.path for job in jobs], [job.target for job in jobs])
    artist = open_artist(settings, console)
    radiometry = choose_radiometry(artist.model.radiometry, settings.radiometry, settings.clip)
    result = {"output_dir": str(settings.output_dir), "images": len(jobs), **describe(artist)}
    if console.dry_run:
        return result
    output_dir.make(settings.output_dir)
    template, cropped = complete_template(artist.model.template, console), list[str]()
    skipped = SkippedImages(console, "skip")
    with console.progress("image", len(jobs)) as meter:
        orders = read_orders(jobs, artist, radiometry, template, skipped, meter, cropped, settings.fill)
        records = write_all(artist, orders, settings.output_dir, lambda _: {})
    skipped.check_any(records)
    warn_of_one_colour(records, console)
    if cropped:
        console.warn(
            f"the centre square alone is drawn of {count_noun(len(cropped), 'image')} ({join_first(cropped, 3)}); "
            "`rsforge sample scene` draws all of one"
        )
    write_manifest(settings.output_dir, artist, records, left_out=skipped.images, radiometry=radiometry.as_dict())
    result |= {"images": len(records), "left_out": skipped.images}
    if skipped.images:
        what = f"{len(skipped.images)} of {count_noun(len(jobs), 'image')} could not be used"
        names = ", ".join(image["name"] for image in skipped.images[:4])
        kept = f"{count_noun(len(records), 'image')} in {settings.output_dir}"
        raise RsforgeError("RSF-D002", what, where=names, kept=kept, result=result)
    return result


class Job(NamedTuple):
    """A SAR image, the region and the season that its prompt names, and the file it becomes."""

    image: InputImage
    facts: dict[str, str]
    target: Path


def list_jobs(settings: SampleBatchSettings, images: Sequence[InputImage]) -> list[Job]:
    """The images in sorted order, regions and seasons one after the other; subfolders stay."""
    jobs = []
    for number, image in enumerate(sorted(images, key=lambda one: one.name)):
        region = settings.regions[number % len(settings.regions)]
        season = settings.seasons[number % len(settings.seasons)]
        name = PurePosixPath(image.name)
        target = settings.output_dir / name.with_name(f"{name.stem}_{region}_{season}_generated.png")
        jobs.append(Job(image, {"region": region, "season": season}, target))
    return jobs


def read_orders(
    jobs: Sequence[Job],
    artist: Artist,
    radiometry: Radiometry,
    template: PromptTemplate,
    skipped: SkippedImages,
    meter: Meter,
    cropped: list[str],
    fill: float | None = None,
) -> Iterator[Order]:
    """An order for each image that can be read; a file that fails takes its turn too.

    Each is read when the one before it was drawn: a folder may hold more images than the memory. Those of which the
    centre square alone is drawn are added to ``cropped``.
    """
    for number, (image, facts, target) in enumerate(jobs):
        view = None
        with skipped.skip_unusable(image.name):
            view = read_sar(image.path, artist, radiometry, fill)
        if view is not None:
            if view.height != view.width:
                cropped.append(image.name)
            yield Order(number, image.name, view.values, template.format(facts), target, facts, valid=view.valid)
        meter.step()
