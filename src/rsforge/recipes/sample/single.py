"""``rsforge sample single``: one optical image from one SAR image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.io.image_writer import check_picture_path
from rsforge.data.pairs.dataset import SarView, read_sar_view
from rsforge.data.sar.radiometry import Radiometry
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.inference.sar_values import choose_radiometry
from rsforge.recipes.output_checks import check_writable
from rsforge.recipes.sample.sar_images import (
    Artist,
    Order,
    check_apart,
    describe,
    draw_files,
    open_artist,
    warn_of_one_colour,
    write_drawn,
)
from rsforge.recipes.sample.sar_prompts import write_prompt
from rsforge.recipes.training import output_dir
from rsforge.recipes.views import choose_of, views_of
from rsforge.settings.sample_sar import SampleSingleSettings


def draw(settings: SampleSingleSettings, console: Console) -> dict[str, Any]:
    """Draw the image and write it, beside it the record of how it was made."""
    target = settings.output_path or Path(f"generated_{settings.region}_{settings.season}.png")
    check_picture_path(target)
    check_writable(target.parent, target.name, "--output-path")
    check_apart(settings.input_image, [target, target.with_suffix(".json"), *draw_files(target)])
    artist = open_artist(settings, console)
    radiometry = choose_radiometry(artist.model.radiometry, settings.radiometry, settings.clip)
    words = {"region": settings.region, "season": settings.season}
    prompt = write_prompt(artist.model.template, settings.prompt, words, console)
    facts = words if settings.prompt is None else {}
    view = read_sar(settings.input_image, artist, radiometry, settings.fill)
    if view.height != view.width:
        console.warn(
            f"the centre square of the {view.height} x {view.width} pixels is drawn; `rsforge sample scene` draws all"
        )
    order = Order(0, str(settings.input_image), view.values, prompt, target, facts, valid=view.valid)
    result = {"output": str(target), "prompt": prompt, **describe(artist), "radiometry": radiometry.as_dict()}
    if console.dry_run:
        return result
    output_dir.make(target.parent)
    drawn = write_drawn(artist.draw(order), target.parent)
    warn_of_one_colour([drawn], console)
    result |= drawn
    record = target.with_suffix(".json")
    leftovers.sweep_for([record])
    durable.write_json(record, result)
    return result


def read_sar(path: Path, artist: Artist, radiometry: Radiometry, fill: float | None = None) -> SarView:
    """The centre square of a SAR image as the model takes it.

    RSF-D009 for another number of bands, RSF-D002 for a square without a value that the drawing could go by.
    """
    own = choose_of(views_of(artist.model.state).sar, (), fill)
    try:
        view = read_sar_view(path, radiometry, artist.model.image_size, own)
    except RsforgeError as error:
        if "--sar-bands" in error.fix:
            error.fix = "give an image with the bands of the training; `rsforge sample scene --bands` chooses some"
        raise
    wanted = artist.model.state["sar_channels"]
    if len(view.values) != wanted:
        what = f"{path.name} has {len(view.values)} bands, and the model takes {wanted}"
        raise RsforgeError("RSF-D009", what, where=str(path))
    if bool((view.values == -1).all()):
        what = f"{path.name} holds no data: no pixel of its centre is valid and above the least value of the training"
        fix = "name another image, or its unit and range by --radiometry and --clip"
        raise RsforgeError("RSF-D002", what, where=str(path), fix=fix)
    return view
