"""Latents that are linear in the words of their captions, and noise; and small images with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from rsforge.metrics.caption_words import Captions, gather_captions, mark_words
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_evaluation.latent_gaussians import OtherLatents

WORDS, START = 6, 90


def draw_captions(count: int, seed: int) -> Captions:
    """One caption or two of each image: a start, and each of some words in half of them."""
    generator = torch.Generator().manual_seed(seed)
    tokens = []
    for number in range(count):
        has = torch.rand(1, WORDS, generator=generator) < 0.5
        own = torch.where(has, torch.arange(1, WORDS + 1), START)
        tokens.append(torch.cat([torch.full((1, 1), START), own], 1).expand(1 + number % 2, -1))
    return gather_captions(tokens)


def draw_latents(captions: Captions, noise: float, seed: int = 3) -> torch.Tensor:
    """The latents ``(n, 5)`` of images with these captions."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(WORDS, 5, generator=torch.Generator().manual_seed(7))
    told = mark_words(captions.first, torch.arange(1, WORDS + 1)) @ weight
    return 2 + told + noise * torch.randn(len(told), 5, generator=generator)


class SmoothImages:
    """Images of 16 pixels, smooth and different."""

    def __getitem__(self, key: tuple[int, int]) -> torch.Tensor:
        rows = torch.linspace(-1, 1, 16).view(1, 16, 1)
        return (rows * (key[1] + 1) / 8).expand(3, 16, 16).clamp(-1, 1)


def make_captioned(count: int, texts: Sequence[str] = ()) -> Captioned:
    """So many of them, with ``texts`` in turn."""
    own = texts or [f"text {k}" for k in range(count)]
    return Captioned(SmoothImages(), [[own[k % len(own)]] for k in range(count)], ["x"] * count)


def make_other_latents(model: PretrainedModel) -> OtherLatents:
    """Latents of 18 images, which follow the three captions that they have in turn."""
    tokens = model.tokenizer.encode(["a river", "an airport", "trees"] * 6)
    size = math.prod(model.pipeline().latent_shape)
    noise = 0.3 * torch.randn(18, size, generator=torch.Generator().manual_seed(1))
    means = torch.tensor([2.0, -2.0, 0.0]).repeat(6)[:, None]
    return OtherLatents(means + noise, gather_captions(list(tokens[:, None])))
