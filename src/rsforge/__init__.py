"""Generative remote sensing: prepare, train, sample, evaluate and map with one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsforge.recipes.tools.load_model import (
        LoadedAutoencoder,
        LoadedModel,
        LoadedSampler,
        LoadedTextEncoder,
        LoadedTranslator,
        load,
    )

__version__ = "0.1.0"
__all__ = [
    "LoadedAutoencoder", "LoadedModel", "LoadedSampler", "LoadedTextEncoder", "LoadedTranslator", "__version__", "load",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what other programs use when they ask for it: ``import rsforge`` alone stays without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rsforge.recipes.tools import load_model

    return getattr(load_model, name)
