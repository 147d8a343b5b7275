"""``rsforge sample batch``: an optical image for every SAR image of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.scenes.inputs import InputImage, find_inputs
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, Meter
from rsforge.recipes.inference.sar_values import choose_radiometry
from rsforge.recipes.inference.skipped_images import SkippedImages
from rsforge.recipes.sample.sar_images import Artist, Order, describe, open_artist, write_all, write_manifest
from rsforge.recipes.sample.single import read_sar
from rsforge.recipes.training import output_dir
from rsforge.settings.sample_sar import SampleBatchSettings
from rsforge.wording import count_noun


def draw(settings: SampleBatchSettings, console: Console) -> dict[str, Any]:
    """Draw all images; one that fails is named and the rest is done. RSF-D002 at the end where any failed."""
    found = find_inputs([settings.input_dir], modality="sar", exclude=settings.output_dir)
    artist = open_artist(settings, console)
    radiometry = choose_radiometry(artist.model.radiometry, settings.radiometry, settings.clip)
    result = {"output_dir": str(settings.output_dir), "images": len(found.images), **describe(artist)}
    if console.dry_run:
        return result
    output_dir.make(settings.output_dir)
    skipped = SkippedImages(console, "skip")
    with console.progress("image", len(found.images)) as meter:
        orders = _read_orders(settings, found.images, artist, radiometry, skipped, meter)
        records = write_all(artist, orders, settings.output_dir, lambda _: {})
    skipped.check_any(records)
    write_manifest(settings.output_dir, artist, records, left_out=skipped.images)
    result |= {"images": len(records), "left_out": skipped.images}
    if skipped.images:
        what = f"{len(skipped.images)} of {count_noun(len(found.images), 'image')} could not be used"
        names = ", ".join(image["name"] for image in skipped.images[:4])
        kept = f"{count_noun(len(records), 'image')} in {settings.output_dir}"
        raise RsforgeError("RSF-D002", what, where=names, kept=kept, result=result)
    return result


def _read_orders(
    settings: SampleBatchSettings,
    images: Sequence[InputImage],
    artist: Artist,
    radiometry: Radiometry,
    skipped: SkippedImages,
    meter: Meter,
) -> Iterator[Order]:
    """The images in sorted order, regions and seasons one after the other; a file that fails takes its turn too.

    Each is read when the one before it was drawn: a folder may hold more images than the memory.
    """
    for number, image in enumerate(sorted(images, key=lambda one: one.name)):
        region = settings.regions[number % len(settings.regions)]
        season = settings.seasons[number % len(settings.seasons)]
        facts = {"region": region, "season": season}
        target = settings.output_dir / f"{Path(image.name).stem}_{region}_{season}_generated.png"
        sar = None
        with skipped.skip_unusable(image.name):
            sar = read_sar(image.path, artist, radiometry)
        if sar is not None:
            yield Order(number, image.name, sar, artist.model.template.format(facts), target, facts)
        meter.step()
