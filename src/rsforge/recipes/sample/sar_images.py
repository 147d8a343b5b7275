"""SAR images to optical ones with a record of how: what ``rsforge sample single``, ``batch`` and ``dataset`` share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge import durable, leftovers
from rsforge.data.io.image_writer import save_grid
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion.load_sar import SarModel, describe_drawing, open_sar_model
from rsforge.recipes.diffusion.pipeline import Walk
from rsforge.recipes.diffusion.sar_pipeline import Request
from rsforge.recipes.inference.broken_images import find_flat, refuse_broken, warn_of_flat
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.sample.scene_files import GREYS_PER_UNIT
from rsforge.settings.sample_sar import DrawingSettings

MANIFEST = "manifest.json"
GRID, ONE_COLOUR = "grid.png", "one_colour"
MOST_ROWS = 16
EVERYWHERE = torch.ones(1, 1, dtype=torch.bool)


@dataclass(frozen=True)
class Order:
    """One image to draw: its SAR image ``(C, S, S)``, what is known of it, its prompt, and the file it becomes.

    ``number`` is its place in the call, which chooses its noise; ``truth`` is the optical image of the place
    ``(3, S, S)`` where it is known. ``valid`` ``(S, S)`` says where the SAR image holds data: elsewhere nothing is
    drawn.
    """

    number: int
    name: str
    sar: Tensor
    prompt: str
    target: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    truth: Tensor | None = None
    valid: Tensor = EVERYWHERE


@dataclass(frozen=True)
class Drawn:
    """The draws of one order ``(K, 3, S, S)`` in [-1, 1], -1 in gaps, and the seed that repeats them.

    ``flat`` where the first has one colour everywhere.
    """

    order: Order
    images: Tensor
    index: int
    flat: bool = False


@dataclass(frozen=True)
class Artist:
    """A model, how it is walked, and the seed of this call."""

    model: SarModel
    walk: Walk
    seed: int
    settings: DrawingSettings

    def draw(self, order: Order) -> Drawn:
        """An order's draws, which depend on its number and the seed, not on the other orders of a call.

        RSF-T004 where they are not finite.
        """
        settings, count = self.settings, self.settings.samples
        first = order.number * count
        sar, prompts = order.sar.expand(count, *order.sar.shape), [order.prompt] * count
        request = Request(sar, prompts, settings.guidance_scale, settings.strength)
        images = self.model.pipeline.draw_in_batches(
            request, range(first, first + count), self.walk, seed=self.seed, batch_size=settings.batch_size
        )
        refuse_broken(images, [order.name] * count, kept="the images before it, if there are any")
        flat = bool(find_flat(images[:1]))
        return Drawn(order, images.cpu().masked_fill(~order.valid, -1), first, flat)


def open_artist(settings: DrawingSettings, console: Console) -> Artist:
    """The model and its partners, and the seed of this call; says which files are used."""
    model, walk = open_sar_model(settings, console)
    seed = settings.seed if settings.seed is not None else secrets.randbelow(2**31)
    return Artist(model, walk, seed, settings)


def describe(artist: Artist) -> dict[str, Any]:
    """What made the images of a call, for its result and its manifest."""
    return describe_drawing(artist.model, artist.walk, artist.settings, seed=artist.seed)


def check_apart(source: Path, targets: Iterable[Path]) -> None:
    """RSF-U005 where one of the files to write is the image that they are made of, by whatever name."""
    if source.resolve() in [target.resolve() for target in targets]:
        what = f"{source} would be replaced by what is made of it"
        raise RsforgeError("RSF-U005", what, where=str(source), fix="name another file to write")


def draw_files(target: Path) -> tuple[Path, Path]:
    """The files of mean and spread beside that of the first draw."""
    mean, spread = (target.with_name(f"{target.stem}_{part}.png") for part in ("mean", "spread"))
    return mean, spread


def write_drawn(drawn: Drawn, folder: Path) -> dict[str, Any]:
    """Write an order's first draw under its name, and mean and spread (grey values) where there are several.

    Returns its record, with the files as named from ``folder``.
    """
    target, images = drawn.order.target, drawn.images
    mean_file, spread_file = draw_files(target)
    leftovers.sweep_for([target, mean_file, spread_file])
    target.parent.mkdir(parents=True, exist_ok=True)
    named = {"name": drawn.order.name, "file": target.relative_to(folder).as_posix(), "prompt": drawn.order.prompt}
    valid = drawn.order.valid.expand(images.shape[-2:])
    record: dict[str, Any] = {
        **named,
        **drawn.order.facts,
        "index": drawn.index,
        "valid_share": float(valid.float().mean()),
        **({ONE_COLOUR: True} if drawn.flat else {}),
    }
    save_grid(target, images[:1], nrow=1)
    if len(images) > 1:
        spread = GREYS_PER_UNIT * images.std(0).mean(0)
        save_grid(mean_file, images.mean(0)[None], nrow=1)
        save_grid(spread_file, (spread / GREYS_PER_UNIT - 1).expand(1, 3, -1, -1), nrow=1)
        files = {"mean_file": mean_file, "spread_file": spread_file}
        record |= {name: path.relative_to(folder).as_posix() for name, path in files.items()}
        record["spread"] = float(spread[valid].mean())
    return record


def warn_of_one_colour(records: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A warning of the images whose records say so."""
    warn_of_flat([record["file"] for record in records if record.get(ONE_COLOUR)], console)


def write_all(
    artist: Artist, orders: Iterable[Order], folder: Path, measure: Callable[[Drawn], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Draw and write each order in turn, and a grid of the first; each record with what ``measure`` says of it."""
    records: list[dict[str, Any]] = []
    shown: list[Drawn] = []
    for order in orders:
        drawn = artist.draw(order)
        records.append({**write_drawn(drawn, folder), **measure(drawn)})
        if len(shown) < MOST_ROWS:
            shown.append(drawn)
    if shown:
        write_overview(folder, shown)
    return records


def write_overview(folder: Path, drawn: Sequence[Drawn]) -> Path:
    """A grid of SAR, generated and, where known, optical images, a row each."""
    rows, with_truth = [], all(one.order.truth is not None for one in drawn)
    for one in drawn:
        rows += [one.order.sar[:1].expand(3, -1, -1), one.images[0]]
        rows += [one.order.truth] if with_truth and one.order.truth is not None else []
    columns = ("SAR", "generated", "optical") if with_truth else ("SAR", "generated")
    leftovers.sweep_for([folder / GRID])
    save_labelled_grid(folder / GRID, torch.stack(rows), nrow=len(columns), columns=columns)
    return folder / GRID


def write_manifest(folder: Path, artist: Artist, records: Sequence[Mapping[str, Any]], **more: Any) -> Path:
    """``manifest.json``: what made each image."""
    path = folder / MANIFEST
    leftovers.sweep_for([path])
    durable.write_json(path, {**describe(artist), **more, "images": list(records)})
    return path
