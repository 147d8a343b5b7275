"""The closed form of latents that are normally distributed about a mean which the words of their caption tell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rsforge.metrics.caption_words import Captions
from rsforge.metrics.gaussian_denoiser import fit_denoiser, mix_scales
from rsforge.metrics.word_regression import WordRegression, fit_words
from rsforge.noise.gaussian_denoiser import GaussianDenoiser


@dataclass(frozen=True)
class CaptionGaussian:
    """Means by the words of captions, and the denoiser of what these leave, which is normal up to its scale."""

    words: WordRegression
    remainder: GaussianDenoiser

    def read(self, tokens: Tensor) -> GaussianDenoiser:
        """The denoiser of the latents of captions ``(B, N)``, a mean for each."""
        return replace(self.remainder, mean=self.words.predict(tokens) + self.remainder.mean)

    def to(self, device: torch.device) -> CaptionGaussian:
        """The same on ``device``."""
        return CaptionGaussian(self.words.to(device), self.remainder.to(device))


def fit_captions(latents: Tensor, captions: Captions) -> CaptionGaussian:
    """The closed form of ``latents`` ``(n, d)`` with their captions; ``ValueError`` for one image alone."""
    return fit_remainder(*fit_words(latents, captions))


def fit_remainder(words: WordRegression, left: Tensor) -> CaptionGaussian:
    """The closed form of latents of which ``words`` leave ``left`` ``(n, d)``."""
    return CaptionGaussian(words, mix_scales(fit_denoiser(left), left))
