"""Where images hold no data: what a prediction says there costs nothing and teaches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

VALID = "valid"
"""The name under which batches hold ``(B, 1, H, W)`` bool, True where pixels hold data: only where some do not."""


class NoGaps:
    """Every pixel holds data."""

    @property
    def valid(self) -> Tensor | None:
        """Where pixels hold data; None for everywhere."""
        return None

    def fill(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """The prediction."""
        return prediction

    def over_valid(self, mean: Tensor) -> Tensor:
        """The mean."""
        return mean

    def over_valid_of_each(self, means: Tensor) -> Tensor:
        """The means."""
        return means

    def average(self, values: Tensor) -> Tensor:
        """The mean of numbers of images ``(..., B)``."""
        return values.mean()

    def name_share(self, name: str) -> dict[str, Tensor]:
        """Nothing to say of what counts."""
        return {}


class Gaps(NoGaps):
    """Pixels hold data where ``valid`` ``(B, 1, H, W)`` is True."""

    def __init__(self, valid: Tensor) -> None:
        self._valid = valid

    @property
    def valid(self) -> Tensor:
        return self._valid

    def fill(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """The prediction ``(B, C, H, W)``, in gaps the reference: there no distance is left, and no gradient.

        That also holds for losses that see a pixel with its neighbours, as those of features and of critics do.
        """
        return torch.where(self._valid, prediction, reference)

    def over_valid(self, mean: Tensor) -> Tensor:
        """The mean over pixels with data, of a mean over all pixels to which gaps gave 0."""
        return mean / self._shares.mean()

    def over_valid_of_each(self, means: Tensor) -> Tensor:
        """The same of each image, ``(B,)``."""
        return means / self._shares

    def average(self, values: Tensor) -> Tensor:
        """The mean of numbers of images ``(..., B)``, each weighed by the share of its pixels that holds data."""
        weighed = (values * self._shares).where(self._valid.flatten(1).any(1), 0)
        return weighed.mean() / self._shares.mean()

    def name_share(self, name: str) -> dict[str, Tensor]:
        """The share of all pixels that holds data, under ``name``."""
        return {name: self._shares.mean()}

    @property
    def _shares(self) -> Tensor:
        """The share of each image that holds data, ``(B,)``; next to nothing of one that holds none."""
        return self._valid.flatten(1).float().mean(1).clamp(min=1e-9)


def shrink_valid(valid: Tensor, size: Sequence[int]) -> Tensor:
    """``valid`` ``(..., H, W)`` for cells of ``size`` ``(h, w)`` pixels: True where all pixels of a cell are."""
    gaps = F.adaptive_max_pool2d((~valid).flatten(0, -3).float(), tuple(size))
    return (gaps == 0).view(*valid.shape[:-2], *gaps.shape[-2:])


def find_latent_gaps(batch: Mapping[str, Any], latents: Tensor) -> NoGaps:
    """The gaps of a batch in ``latents`` ``(B, C, h, w)``: cells of which some pixel holds no data.

    None of vectors ``(B, d)``, which hold no places.
    """
    if VALID not in batch or latents.ndim != 4:
        return NoGaps()
    return Gaps(shrink_valid(batch[VALID], latents.shape[-2:]))


def find_gaps(batch: Mapping[str, Any]) -> NoGaps:
    """The gaps of a batch, where it has any."""
    return Gaps(batch[VALID]) if VALID in batch else NoGaps()
