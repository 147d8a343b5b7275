"""SAR bands as the three channels that an autoencoder of colour images takes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Composite = Literal["repeat", "vv_vh_difference", "as_they_are"]
_RULES: dict[int, Composite] = {1: "repeat", 2: "vv_vh_difference", 3: "as_they_are"}


def composite_for(bands: int) -> Composite:
    """The rule for images of so many bands; ``ValueError`` where there is none."""
    if bands not in _RULES:
        raise ValueError(f"SAR images have {bands} bands; three channels are made of 1, 2 or 3")
    return _RULES[bands]


def to_three_channels(sar: Tensor, composite: Composite) -> Tensor:
    """SAR ``(..., C, H, W)`` in [-1, 1] as ``(..., 3, H, W)`` in [-1, 1].

    ``repeat`` shows one band three times; ``vv_vh_difference`` shows VV, VH and half of VV - VH, which in decibels is
    their ratio and tells surfaces from volumes. ``ValueError`` where the bands do not fit the rule.
    """
    if composite != composite_for(sar.shape[-3]):
        raise ValueError(f"images of {sar.shape[-3]} bands do not fit the rule {composite}")
    if composite == "repeat":
        return sar.expand(*sar.shape[:-3], 3, *sar.shape[-2:])
    if composite == "vv_vh_difference":
        vv, vh = sar.unbind(-3)
        return torch.stack([vv, vh, (vv - vh) / 2], dim=-3)
    return sar
