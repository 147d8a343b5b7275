"""Latents of both images of a pair and the tokens of its prompt: stored, or encoded anew at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.latent_cache import LatentDataset, latent_statistics
from rsforge.data.sar.composite import Composite, to_three_channels
from rsforge.engine.loader import IndexedDataset
from rsforge.losses.gaps import VALID
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.diffusion.encode_latents import Encoder, Store, find_masks, to_standardise
from rsforge.recipes.selected_items import SelectedItems
from rsforge.recipes.training.job import Compute
from rsforge.settings.diffusion_sar import SarTrainSettings
from rsforge.tasks.diffusion import already_encoded

Batch = Mapping[str, Any]
SAR, OPTICAL = 0, 1
MEASURED = 256
"""Training pairs whose latents are measured where none are stored."""


class OneModality:
    """The SAR image, as the three channels of ``composite``, or the optical image of each of ``pairs``."""

    def __init__(self, pairs: IndexedDataset, modality: int, composite: Composite) -> None:
        self.pairs, self.modality, self.composite = pairs, modality, composite

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        return self.pairs.name(index)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        image: Tensor = self.pairs[key][self.modality]
        return to_three_channels(image, self.composite) if self.modality == SAR else image


class PromptedPairs:
    """``pairs`` as mappings of ``sar`` ``(3, S, S)``, ``optical`` ``(3, S, S)`` and the ``tokens`` of their prompts.

    Where some have gaps, ``valid`` ``(1, S, S)`` is among them.
    """

    def __init__(self, pairs: IndexedDataset, tokens: Tensor, composite: Composite) -> None:
        self.pairs, self.tokens, self.composite = pairs, tokens, composite

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        return self.pairs.name(index)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        item = NamedSamples(self.pairs, ("sar", "optical"))[key]
        item["sar"] = to_three_channels(item["sar"], self.composite)
        return item | {"tokens": self.tokens[key[1]]}


@dataclass(frozen=True)
class Standard:
    """Mean and deviation of latents by channel."""

    mean: Tensor
    std: Tensor

    def apply(self, latents: Tensor) -> Tensor:
        return (latents - self.mean) / self.std


@dataclass(frozen=True)
class PairLatents:
    """What a denoiser trains on, how a batch becomes moments and SAR latents, and how both are standardised."""

    train: IndexedDataset
    held_out: IndexedDataset
    moments_of: Callable[[Batch], Tensor]
    sar_of: Callable[[Batch], Tensor]
    optical: Standard
    sar: Standard


@dataclass(frozen=True)
class PairEncoder:
    """The moments of the optical, and the mean latent of the SAR image of a batch of images."""

    encode: Encoder

    def moments_of(self, batch: Batch) -> Tensor:
        return self.encode(batch["optical"])

    def sar_of(self, batch: Batch) -> Tensor:
        return self.encode(batch["sar"])[:, 0]


def stored_sar(batch: Batch) -> Tensor:
    """The mean SAR latents of a batch that holds their moments as ``sar``."""
    latents: Tensor = batch["sar"][:, 0]
    return latents


def encode_fresh(
    pairs: PairSets,
    train: IndexedDataset,
    tokens: tuple[Tensor, Tensor],
    composite: Composite,
    autoencoder: Autoencoder,
    where: Compute,
    *,
    measured: int = MEASURED,
) -> PairLatents:
    """Images encoded at each step, the training ones those of ``train``.

    Standardised by the first ``measured`` training pairs, not augmented.
    """
    encode = Encoder(autoencoder)
    first = range(min(measured, len(pairs.plain)))
    statistics = []
    for modality in (OPTICAL, SAR):
        images = OneModality(pairs.plain, modality, composite)
        moments = np.stack([encode(images[0, index][None].to(where.device)).cpu().numpy() for index in first])
        masks = find_masks(SelectedItems(pairs.plain, first), moments)
        statistics.append(Standard(*to_standardise(*latent_statistics(moments, masks.get(VALID)), where.device)))
    encoder = PairEncoder(encode)
    return PairLatents(
        PromptedPairs(train, tokens[0], composite),
        PromptedPairs(pairs.held_out, tokens[1], composite),
        encoder.moments_of,
        encoder.sar_of,
        *statistics,
    )


def load_or_encode(
    settings: SarTrainSettings,
    pairs: PairSets,
    tokens: tuple[Tensor, Tensor],
    composite: Composite,
    store: Store,
    console: Console,
) -> PairLatents:
    """Moments of every image on disk, standardised by those of the training pairs; mirrored views are stored too."""
    mirrored, digest = settings.data.flip > 0, f"{pairs.identity['split']} {composite}"
    arrays: list[dict[str, Any]] = []
    names: list[list[str]] = []
    for side, samples, ids in (("train", pairs.plain, tokens[0]), ("held out", pairs.held_out, tokens[1])):
        views = mirrored and side == "train"
        optical, in_order = store.moments(
            OneModality(samples, OPTICAL, composite), f"{side} optical", digest, mirrored=views
        )
        sar, _ = store.moments(OneModality(samples, SAR, composite), f"{side} SAR", digest, mirrored=views)
        masks = find_masks(samples, optical)
        arrays.append({"latents": optical, "sar": sar, "tokens": _as_views(ids, 1 + views), **masks})
        names.append(in_order)
    standards = [
        Standard(*to_standardise(*latent_statistics(arrays[0][name], arrays[0].get(VALID)), store.device))
        for name in ("latents", "sar")
    ]
    train, held_out = (
        LatentDataset(values, rows, seed=settings.run.seed) for values, rows in zip(arrays, names, strict=True)
    )
    return PairLatents(train, held_out, already_encoded, stored_sar, *standards)


def _as_views(tokens: Tensor, views: int) -> Any:
    return np.repeat(tokens.numpy()[:, None], views, axis=1)


def images_of(pairs: IndexedDataset, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    """SAR and optical images of some pairs as two batches."""
    sar, optical = zip(*(pairs[0, index] for index in indices), strict=True)
    return torch.stack(sar), torch.stack(optical)
