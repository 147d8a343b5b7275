"""Spectral super-resolution by convolutions along the wavelength axis of each pixel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import describe
from rsforge.models.recompute import Recomputable
from rsforge.models.spectral.band_network import RidgeNetwork
from rsforge.models.spectral.layers import ChannelAttention, MirrorConv, make_zero

PRESETS: Mapping[str, Mapping[str, int]] = {
    "standard": {"hidden": 216, "blocks": 4},
    "large": {"hidden": 352, "blocks": 8},
}
PIXELS = 1 << 14
"""How many pixels a block computes at once: its widest activations exist for no more."""

MIXING = 2
REDUCTION = 4


class _WavelengthConv(nn.Module):
    """Two convolutions over the bands of ``(B, bands, P)``, pixel by pixel, with ``features`` channels between them.

    One kernel serves all wavelengths; a bias of each band and feature tells it where on the axis it is.
    """

    def __init__(self, bands: int, features: int, taps: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(1, features, (taps, 1), padding=(taps // 2, 0))
        self.band_bias = nn.Parameter(torch.zeros(features, bands, 1))
        self.narrow = nn.Conv2d(features, 1, (taps, 1), padding=(taps // 2, 0))
        # With features innermost in memory these narrow kernels are three times as fast.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, spectra: Tensor) -> Tensor:
        # Height is the band and width the pixel, so that a kernel one pixel wide never crosses from one to another.
        y: Tensor = self.narrow(F.gelu(self.widen(spectra[:, None]) + self.band_bias))
        return y[:, 0]


class SpectralBlock(Recomputable):
    """Convolutions along the wavelength axis of ``(B, bands, H, W)``, then a mixture of all bands, each added.

    Every pixel is computed from itself alone, ``PIXELS`` at a time. Beyond the first and the last band there are zeros.
    """

    def __init__(self, bands: int, *, features: int, taps: int) -> None:
        super().__init__()
        self.along = _WavelengthConv(bands, features, taps)
        self.mix = nn.Sequential(nn.Conv1d(bands, MIXING * bands, 1), nn.GELU(), nn.Conv1d(MIXING * bands, bands, 1))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.flatten(2).split(PIXELS, dim=2)
        return torch.cat([self.recompute(self._layer, part) for part in parts], dim=2).view(x.shape)

    def _layer(self, spectra: Tensor) -> Tensor:
        spectra = spectra + self.along(spectra)
        y: Tensor = spectra + self.mix(spectra)
        return y


class _Expansion(Recomputable):
    """2-D convolutions from the input's bands to all."""

    def __init__(self, in_channels: int, hidden: int, bands: int) -> None:
        super().__init__()
        self.first, self.second = MirrorConv(in_channels, hidden), MirrorConv(hidden, hidden)
        self.third = MirrorConv(hidden, bands)

    def forward(self, x: Tensor) -> Tensor:
        return self.recompute(self._layers, x)

    def _layers(self, x: Tensor) -> Tensor:
        y: Tensor = self.third(F.gelu(self.second(F.gelu(self.first(x)))))
        return y


class SpectralSR(RidgeNetwork):
    """Images ``(B, in_channels, H, W)`` to ``(B, bands, H, W)``; starts as the ridge solution.

    The ridge solution and an expansion by 2-D convolutions make a first spectrum of each pixel; ``blocks`` of
    :class:`SpectralBlock` and an attention among the bands of a pixel refine it; a 2-D convolution of the result and
    the first spectrum is the residual. With 340 bands from 7 the presets have 4,059,253 and 7,044,529 trained
    parameters. ``taps`` is the odd length of the kernels in bands (``ValueError``).
    """

    def __init__(
        self,
        *,
        bands: int,
        in_channels: int = 7,
        hidden: int = PRESETS["standard"]["hidden"],
        blocks: int = PRESETS["standard"]["blocks"],
        features: int = 8,
        taps: int = 7,
    ) -> None:
        architecture = describe("spectral_sr", locals())
        super().__init__(in_channels, bands)
        self.architecture = architecture
        if taps % 2 == 0:
            raise ValueError(f"a kernel of {taps} bands has no middle; use an odd number")
        self.expand = _Expansion(in_channels, hidden, bands)
        self.blocks = nn.ModuleList(SpectralBlock(bands, features=features, taps=taps) for _ in range(blocks))
        self.attention = ChannelAttention(bands, reduction=REDUCTION, window=1)
        self.leave = make_zero(MirrorConv(bands, bands))

    @property
    def receptive_field(self) -> int:
        return 9  # three convolutions into the spectrum, one out of it

    def residual(self, x: Tensor, ridge: Tensor) -> Tensor:
        first = self.expand(x) + ridge
        y = first
        for block in self.blocks:
            y = block(y)
        residual: Tensor = self.leave(self.attention(y) + first)
        return residual
