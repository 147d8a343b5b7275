"""What is wrong with images that a model made: values that are no numbers, and one colour everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.wording import agree, count_noun, join_first

FLAT = 1 / 255
"""Deviation of an image in [-1, 1] below which it shows one colour."""
NAMED = 3
REMEDY = "use another checkpoint of the training, or train again with a lower learning rate"


def find_flat(images: Tensor) -> Tensor:
    """Which of the images ``(B, C, H, W)`` in [-1, 1] have one colour everywhere, ``(B,)``."""
    return images.std(dim=(-2, -1), correction=0).amax(-1) < FLAT


def find_broken(images: Tensor) -> Tensor:
    """Which of the images ``(B, C, H, W)`` hold values that are no numbers, ``(B,)``."""
    return ~images.flatten(1).isfinite().all(1)


def refuse_broken(images: Tensor, names: Sequence[str], *, kept: str = "") -> None:
    """RSF-T004 with the names of images ``(B, C, H, W)`` that hold values that are no numbers."""
    broken = [name for name, wrong in zip(names, find_broken(images).tolist(), strict=True) if wrong]
    if broken:
        verb = agree(len(broken), "is", "are")
        what = f"{count_noun(len(broken), 'image')} of the model {verb} not finite: its weights are broken or overflow"
        raise RsforgeError("RSF-T004", what, where=join_first(broken, NAMED), kept=kept, fix=REMEDY)


def warn_of_flat(names: Sequence[str], console: Console) -> None:
    """A warning of images that have one colour everywhere, where there are any."""
    if names:
        what = f"{count_noun(len(names), 'image')} {agree(len(names), 'has', 'have')} one colour everywhere"
        cause = "the model has learnt nothing yet, or its training went wrong"
        look = "look at the pictures of its training"
        console.warn(f"{what} ({join_first(names, NAMED)}): {cause}; {look}, then {REMEDY}")


def check_images(images: Tensor, names: Sequence[str], console: Console) -> None:
    """RSF-T004 for images that are not finite; a warning of those of one colour."""
    refuse_broken(images, names, kept="nothing was written")
    warn_of_flat([names[k] for k in torch.nonzero(find_flat(images)).flatten().tolist()], console)


def warn_of_preview(images: Tensor, where: str, console: Console) -> None:
    """A warning where images of a training's preview ``(B, C, H, W)`` are not finite or have one colour everywhere."""
    unsound, flat = int(find_broken(images).sum()), int(find_flat(images).sum())
    if unsound:
        remedy = "if later ones are so too, train again with a lower --learning-rate or --mixed-precision no"
        console.warn(f"{where}: {count_noun(unsound, 'image')} {agree(unsound, 'is', 'are')} not finite; {remedy}")
    if flat:
        cause = "the model has learnt nothing yet, or its training goes wrong"
        console.warn(
            f"{where}: {count_noun(flat, 'image')} {agree(flat, 'has', 'have')} one colour everywhere; {cause}"
        )
