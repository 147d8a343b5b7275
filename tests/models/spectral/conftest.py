"""Small networks of every kind, and images for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rsforge.models.catalogue import build
from rsforge.models.spectral.band_network import BandNetwork

SMALL = {
    "spectral_sr": {"bands": 9, "in_channels": 3, "hidden": 6, "blocks": 2, "features": 2, "taps": 3},
    "spectral_unmixing": {"bands": 9, "in_channels": 3, "count": 4},
    "spectral_transformer": {"bands": 9, "in_channels": 3, "width": 8, "blocks": 2, "heads": 2, "window": 4},
    "spatial_sr": {"bands": 3, "scale": "5/2", "width": 4, "groups": 1, "blocks": 2, "window": 3},
    "lightweight": {"bands": 3, "scale": "5/2", "width": 4, "layers": 1},
}


@pytest.fixture
def network() -> Callable[..., BandNetwork]:
    """A small network of a name, in float64 and in evaluation."""

    def make(name: str, **options: object) -> BandNetwork:
        torch.manual_seed(1)
        made = build({"name": name} | SMALL[name] | options).double().eval()
        assert isinstance(made, BandNetwork)
        return made

    return make


@pytest.fixture
def image() -> Callable[..., Tensor]:
    """Random values in [0, 1], float64."""

    def draw(*shape: int, seed: int = 0) -> Tensor:
        return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return draw
