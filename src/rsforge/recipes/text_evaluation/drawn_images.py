"""An image of each caption: drawn once, kept in a folder, and found there by an evaluation that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge import durable, leftovers
from rsforge.data.io.image_reader import read_rgb
from rsforge.data.io.image_writer import encode_image, to_uint8
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.inference.broken_images import find_flat, refuse_broken, warn_of_flat

FOLDER, RECORD = "drawn", "drawn.json"
Draw = Callable[[Sequence[int]], Tensor]
"""Images ``(B, 3, H, W)`` in [-1, 1] of captions by their numbers; each depends on its number alone."""


@dataclass(frozen=True)
class DrawnImages:
    """Images by number, in 8 bits: in ``folder``, or without one in memory."""

    folder: Path | None
    kept: dict[int, Tensor]

    def read(self, numbers: Sequence[int]) -> Tensor:
        """``(B, 3, H, W)`` in [-1, 1]."""
        return torch.stack([self._read(number) for number in numbers]).float() / 127.5 - 1

    def _read(self, number: int) -> Tensor:
        if self.folder is None:
            return self.kept[number]
        return torch.from_numpy(read_rgb(self.folder / name_file(number)).copy()).permute(2, 0, 1)


def name_file(number: int) -> str:
    """The file of an image."""
    return f"{number:06d}.png"


def draw_images(
    draw: Draw,
    count: int,
    place: Path | None,
    record: Mapping[str, Any],
    console: Console,
    *,
    batch_size: int,
    overwrite: bool,
) -> DrawnImages:
    """Draw ``count`` images, but those that lie in ``place`` and were drawn as ``record`` says.

    RSF-U004 where images lie there that were drawn otherwise, unless ``overwrite``; RSF-T004 for broken ones.
    """
    images = DrawnImages(None if place is None else place / FOLDER, {})
    if images.folder is None:
        _draw_missing(draw, images, range(count), batch_size, console)
        return images
    images.folder.mkdir(exist_ok=True)
    with durable.lock_folder(images.folder):
        leftovers.sweep(images.folder)
        _prepare_folder(images.folder, record, overwrite=overwrite)
        missing = [number for number in range(count) if not (images.folder / name_file(number)).is_file()]
        if len(missing) < count:
            console.say(f"drawn      {count - len(missing)} of {count} images were drawn before")
        _draw_missing(draw, images, missing, batch_size, console)
    return images


def check_drawn(place: Path | None, record: Mapping[str, Any], *, overwrite: bool) -> None:
    """RSF-U004 where ``place`` has images that were drawn otherwise than ``record`` says."""
    folder = None if place is None else place / FOLDER
    if folder is None or overwrite or not folder.is_dir() or _read_record(folder) == _as_json(record):
        return
    if any(folder.glob("*.png")):
        what, fix = f"{folder} holds images that were drawn otherwise", "replace them with --overwrite"
        raise RsforgeError("RSF-U004", what, where="--output-dir", fix=f"{fix}, or name another --output-dir")


def _prepare_folder(folder: Path, record: Mapping[str, Any], *, overwrite: bool) -> None:
    """Remove images that were drawn otherwise, and say how those to come are drawn before there is one."""
    check_drawn(folder.parent, record, overwrite=overwrite)
    if _read_record(folder) != _as_json(record):
        (folder / RECORD).unlink(missing_ok=True)
        for path in folder.glob("*.png"):
            path.unlink()
        durable.write_json(folder / RECORD, record)


def _read_record(folder: Path) -> Any:
    with suppress(OSError, ValueError):
        return json.loads((folder / RECORD).read_bytes())
    return None


def _as_json(record: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(record))


def _draw_missing(draw: Draw, images: DrawnImages, missing: Sequence[int], batch_size: int, console: Console) -> None:
    flat: list[str] = []
    with console.progress("drawing", len(missing)) as meter:
        for indices in index_ranges(len(missing), batch_size):
            numbers = [missing[index] for index in indices]
            drawn = draw(numbers)
            refuse_broken(drawn, [name_file(number) for number in numbers], kept="those before")
            flat += [name_file(numbers[k]) for k in find_flat(drawn).nonzero().flatten().tolist()]
            for number, pixels in zip(numbers, to_uint8(drawn), strict=True):
                if images.folder is None:
                    images.kept[number] = torch.from_numpy(pixels).permute(2, 0, 1)
                else:
                    durable.write_bytes(images.folder / name_file(number), encode_image(pixels, ".png"))
            meter.step(len(numbers))
    warn_of_flat(flat, console)
