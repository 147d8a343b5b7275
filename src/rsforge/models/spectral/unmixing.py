"""Spectral super-resolution by unmixing: a few spectra of pure materials, and the share of each in every pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import describe
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.models.spectral.layers import MirrorConv, full_precision, make_zero, require_bands

SHARPNESS = 100.0
"""Of the softplus that keeps endmembers non-negative: at 0.05 it is the identity to 1e-4."""

LEAST = 1e-4
"""The least reflectance that an endmember is set to; nearer to zero its gradient would vanish."""


class SpectralUnmixing(BandNetwork):
    """Images ``(B, in_channels, H, W)`` to mixtures ``(B, bands, H, W)`` of ``count`` endmembers.

    Abundances are positive and sum to 1, endmembers are non-negative, so that the output is a convex mixture whatever
    is learnt. It therefore does not start from ridge, which is in general no such mixture and added to one would
    leave abundances without a meaning: it starts from the endmembers that look most like the pixel in the input's
    bands (:meth:`set_endmembers`), and a small network of 3×3 convolutions corrects that choice. Until endmembers are
    set they are random in [0, 1]. With 340 bands, 7 inputs and 16 endmembers: 32,624 trained parameters.
    """

    start_weight: Tensor
    start_bias: Tensor

    def __init__(self, *, bands: int, in_channels: int = 7, count: int = 16) -> None:
        architecture = describe("spectral_unmixing", locals())
        super().__init__(bands)
        self.architecture = architecture
        self.first, self.second = MirrorConv(in_channels, 64), MirrorConv(64, 32)
        self.third = make_zero(MirrorConv(32, count))
        self.raw_endmembers = nn.Parameter(_to_raw(torch.rand(count, bands)))
        self.register_buffer("start_weight", torch.zeros(count, in_channels))
        self.register_buffer("start_bias", torch.zeros(count))

    @property
    def receptive_field(self) -> int:
        return 7

    @property
    def endmembers(self) -> Tensor:
        """The non-negative spectra ``(count, bands)``, in the unit of the output."""
        return F.softplus(self.raw_endmembers, beta=SHARPNESS)

    def set_endmembers(self, spectra: Tensor, seen: Tensor) -> None:
        """Start from ``spectra`` ``(count, bands)``, which look like ``seen`` ``(count, in)`` in the input's bands.

        Values under ``LEAST`` are raised to it. A pixel's abundances start at the probabilities of Gaussians around
        ``seen``, whose deviation is half of the root mean square distance of an endmember to its nearest.
        ``ValueError`` for other shapes.
        """
        if spectra.shape != self.raw_endmembers.shape or seen.shape != self.start_weight.shape:
            wanted = f"{tuple(self.raw_endmembers.shape)} and {tuple(self.start_weight.shape)}"
            raise ValueError(f"endmembers of shapes {tuple(spectra.shape)} and {tuple(seen.shape)}, not {wanted}")
        with torch.no_grad():
            self.raw_endmembers.copy_(_to_raw(spectra.double()))
        precision = 1 / (2 * _spread(seen.double()))
        # |x - m|^2 without |x|^2, which is common to all endmembers and leaves no trace in the softmax.
        self.start_weight.copy_(2 * precision * seen)
        self.start_bias.copy_(-precision * seen.square().sum(1))

    def abundances(self, x: Tensor) -> Tensor:
        """The shares ``(B, count, H, W)`` of the endmembers in each pixel of ``x`` ``(B, in, H, W)``, of sum 1."""
        require_bands(x, self.start_weight.shape[1])
        logits = self.third(F.relu(self.second(F.relu(self.first(x)))))
        with full_precision(x):
            wide = x.to(self.start_weight.dtype)
            start = F.conv2d(wide, self.start_weight[:, :, None, None], self.start_bias)
            shares: Tensor = (logits + start).softmax(dim=1)
        return shares

    def forward(self, x: Tensor) -> Tensor:
        shares = self.abundances(x)
        with full_precision(x):
            return self.keep_range(F.conv2d(shares, self.endmembers.T[:, :, None, None]))


def _to_raw(endmembers: Tensor) -> Tensor:
    """The inverse of the softplus."""
    endmembers = endmembers.clamp(min=LEAST)
    return endmembers + (-(-SHARPNESS * endmembers).expm1()).log() / SHARPNESS


def _spread(seen: Tensor) -> Tensor:
    """A quarter of the mean squared distance of an endmember to its nearest; 1 where all are the same, or only one."""
    distance = torch.cdist(seen, seen).square()
    distance.fill_diagonal_(torch.inf)
    mean = distance.amin(1).mean() / 4
    return mean if 0 < mean < torch.inf else torch.ones_like(mean)
