"""``rsforge sample single``: one optical image from one SAR image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from rsforge import durable, leftovers
from rsforge.data.io.image_writer import check_picture_path
from rsforge.data.pairs.dataset import read_sar_square
from rsforge.data.sar.radiometry import Radiometry
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.inference.sar_values import choose_radiometry
from rsforge.recipes.sample.sar_images import Artist, Order, check_apart, describe, draw_files, open_artist, write_drawn
from rsforge.recipes.training import output_dir
from rsforge.settings.sample_sar import SampleSingleSettings


def draw(settings: SampleSingleSettings, console: Console) -> dict[str, Any]:
    """Draw the image and write it, beside it the record of how it was made."""
    target = settings.output_path or Path(f"generated_{settings.region}_{settings.season}.png")
    check_picture_path(target)
    check_apart(settings.input_image, [target, target.with_suffix(".json"), *draw_files(target)])
    artist = open_artist(settings, console)
    radiometry = choose_radiometry(artist.model.radiometry, settings.radiometry, settings.clip)
    words = {"region": settings.region, "season": settings.season}
    prompt = artist.model.template.format(words) if settings.prompt is None else settings.prompt
    facts = words if settings.prompt is None else {}
    sar = read_sar(settings.input_image, artist, radiometry)
    order = Order(0, str(settings.input_image), sar, prompt, target, facts)
    result = {"output": str(target), "prompt": prompt, **describe(artist), "radiometry": radiometry.as_dict()}
    if console.dry_run:
        return result
    output_dir.make(target.parent)
    result |= write_drawn(artist.draw(order), target.parent)
    record = target.with_suffix(".json")
    leftovers.sweep_for([record])
    durable.write_json(record, result)
    return result


def read_sar(path: Path, artist: Artist, radiometry: Radiometry) -> Tensor:
    """The centre square of a SAR image as the model takes it.

    RSF-D009 for another number of bands, RSF-D002 for a square without a value that the drawing could go by.
    """
    sar = read_sar_square(path, radiometry, artist.model.image_size)
    wanted = artist.model.state["sar_channels"]
    if len(sar) != wanted:
        what = f"{path.name} has {len(sar)} bands, and the model takes {wanted}"
        raise RsforgeError("RSF-D009", what, where=str(path))
    if bool((sar == -1).all()):
        what = f"{path.name} holds no data: no pixel of its centre is valid and above the least value of the training"
        fix = "name another image, or its unit and range by --radiometry and --clip"
        raise RsforgeError("RSF-D002", what, where=str(path), fix=fix)
    return sar
