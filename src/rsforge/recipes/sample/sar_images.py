"""SAR images to optical ones with a record of how: what ``rsforge sample single``, ``batch`` and ``dataset`` share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge import durable
from rsforge.data.io.image_writer import save_grid
from rsforge.recipes.console import Console, Meter
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.load_sar import SarModel, describe_drawing, open_sar_model
from rsforge.recipes.diffusion.pipeline import Walk
from rsforge.recipes.diffusion.sar_pipeline import Request
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.settings.sample_sar import DrawingSettings

MANIFEST = "manifest.json"
GRID = "grid.png"
MOST_ROWS = 16


@dataclass(frozen=True)
class Order:
    """One image to draw: its SAR image ``(C, S, S)``, what is known of it, its prompt, and the file it becomes.

    ``truth`` is the optical image of the place ``(3, S, S)`` where it is known.
    """

    name: str
    sar: Tensor
    prompt: str
    target: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    truth: Tensor | None = None


@dataclass(frozen=True)
class Drawn:
    """The draws of one order ``(K, 3, S, S)`` in [-1, 1], and the seed that repeats them."""

    order: Order
    images: Tensor
    index: int


@dataclass(frozen=True)
class Artist:
    """A model, how it is walked, and the seed of this call."""

    model: SarModel
    walk: Walk
    seed: int
    settings: DrawingSettings

    def draw(self, orders: Sequence[Order], meter: Meter) -> Iterator[Drawn]:
        """Each order's draws; what an image becomes depends on its place in the call, not on its batch."""
        settings, count = self.settings, self.settings.samples
        for first, order in enumerate(orders):
            parts = []
            for indices in index_ranges(count, settings.batch_size):
                request = Request(
                    order.sar.expand(len(indices), *order.sar.shape),
                    [order.prompt] * len(indices),
                    settings.guidance_scale,
                    settings.strength,
                )
                numbers = [first * count + index for index in indices]
                parts.append(self.model.pipeline.draw(request, numbers, self.walk, seed=self.seed).cpu())
            meter.step()
            yield Drawn(order, torch.cat(parts), first * count)


def open_artist(settings: DrawingSettings, console: Console) -> Artist:
    """The model and its partners, and the seed of this call; says which files are used."""
    model, walk = open_sar_model(settings, console)
    seed = settings.seed if settings.seed is not None else secrets.randbelow(2**31)
    return Artist(model, walk, seed, settings)


def describe(artist: Artist) -> dict[str, Any]:
    """What made the images of a call, for its result and its manifest."""
    return describe_drawing(artist.model, artist.walk, artist.settings, seed=artist.seed)


def write_drawn(drawn: Drawn) -> dict[str, Any]:
    """Write an order's first draw under its name, and mean and spread where there are several; returns its record."""
    target, images = drawn.order.target, drawn.images
    record: dict[str, Any] = {"name": drawn.order.name, "file": target.name, "prompt": drawn.order.prompt}
    record |= {**drawn.order.facts, "index": drawn.index}
    save_grid(target, images[:1], nrow=1)
    if len(images) > 1:
        spread = images.std(0).mean(0)
        mean_file, spread_file = (target.with_name(f"{target.stem}_{part}.png") for part in ("mean", "spread"))
        save_grid(mean_file, images.mean(0)[None], nrow=1)
        save_grid(spread_file, (2 * spread.clamp(max=1) - 1).expand(1, 3, -1, -1), nrow=1)
        record |= {"mean_file": mean_file.name, "spread_file": spread_file.name, "spread": float(spread.mean())}
    return record


def write_overview(folder: Path, drawn: Sequence[Drawn]) -> Path:
    """A grid of SAR, generated and, where known, optical images, a row each; the first ``MOST_ROWS``."""
    shown = drawn[:MOST_ROWS]
    rows, with_truth = [], all(one.order.truth is not None for one in shown)
    for one in shown:
        rows += [one.order.sar[:1].expand(3, -1, -1), one.images[0]]
        rows += [one.order.truth] if with_truth and one.order.truth is not None else []
    columns = ("SAR", "generated", "optical") if with_truth else ("SAR", "generated")
    save_labelled_grid(folder / GRID, torch.stack(rows), nrow=len(columns), columns=columns)
    return folder / GRID


def write_manifest(folder: Path, artist: Artist, records: Sequence[Mapping[str, Any]], **more: Any) -> Path:
    """``manifest.json``: what made each image."""
    path = folder / MANIFEST
    durable.write_json(path, {**describe(artist), **more, "images": list(records)})
    return path
