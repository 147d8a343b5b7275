"""Predictors that nothing is trained for, with the range and the interface of the networks they stand beside."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.models.spectral.back_projection import REACH, correct_means, fill_holes
from rsforge.models.spectral.band_network import BandNetwork, RidgeNetwork
from rsforge.models.spectral.layers import require_bands
from rsforge.models.spectral.resize import parse_scale, resize


class PixelBaseline(BandNetwork):
    """A predictor that sees one pixel; its output is held within the range of ``like``."""

    def __init__(self, like: BandNetwork) -> None:
        super().__init__(len(like.lowest))
        self.set_range(like.lowest, like.highest)
        self.eval()

    @property
    def receptive_field(self) -> int:
        return 1


class RidgeAlone(PixelBaseline):
    """``weight (bands, in) @ x + bias (bands,)`` of each pixel, as a ``RidgeNetwork`` computes it."""

    def __init__(self, like: BandNetwork, weight: Tensor, bias: Tensor) -> None:
        super().__init__(like)
        self.start = _RidgeStart(weight.shape[1], len(bias))
        self.start.set_ridge(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.keep_range(self.start.ridge(x))


class _RidgeStart(RidgeNetwork):
    """The solution that a network starts from, without the network."""

    @property
    def receptive_field(self) -> int:
        return 1

    def residual(self, x: Tensor, ridge: Tensor) -> Tensor:
        return torch.zeros_like(ridge)


class MeanSpectrum(PixelBaseline):
    """The spectrum ``(bands,)`` at every pixel, whatever the input ``(B, in, H, W)``."""

    def __init__(self, like: BandNetwork, spectrum: Tensor) -> None:
        super().__init__(like)
        self.register_buffer("spectrum", spectrum)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = self.get_buffer("spectrum").to(x)[:, None, None]
        return self.keep_range(spectrum.expand(len(x), -1, *x.shape[2:]))


class NearestSpectrum(PixelBaseline):
    """Of ``spectra (n, bands)`` the one whose input ``seen (n, in)`` is nearest to that of the pixel."""

    def __init__(self, like: BandNetwork, spectra: Tensor, seen: Tensor) -> None:
        super().__init__(like)
        self.register_buffer("spectra", spectra)
        self.register_buffer("seen", seen)

    def forward(self, x: Tensor) -> Tensor:
        spectra, seen = (self.get_buffer(name).to(x) for name in ("spectra", "seen"))
        require_bands(x, seen.shape[1])
        rows = x.movedim(1, -1)
        nearest = torch.cdist(rows.flatten(0, -2), seen).argmin(1)
        return self.keep_range(spectra[nearest].unflatten(0, rows.shape[:-1]).movedim(-1, 1))


class Bicubic(PixelBaseline):
    """Images ``(B, bands, h, w)`` to ``scale`` times as many pixels each way, by the bicubic ``resize`` of networks.

    Holes are filled and means corrected, ``corrections`` times, as networks do it: what these are before training.
    """

    def __init__(self, like: BandNetwork, scale: float | str, corrections: int = 0) -> None:
        super().__init__(like)
        self.scale, self.corrections = parse_scale(scale), corrections
        self.tile_step = self.scale.denominator

    @property
    def receptive_field(self) -> int:
        return 2 * (2 + REACH * self.corrections + REACH) + 1

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        x = fill_holes(x, valid)
        fine = self.keep_range(resize(x, self.scale))
        return self.keep_range(correct_means(fine, x, self.scale, self.corrections, valid))
