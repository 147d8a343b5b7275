"""The reference library, imported once, and weights that no shortcut can imitate."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

import pytest
import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


@pytest.fixture(scope="session")
def diffusers() -> ModuleType:
    if importlib.util.find_spec("diffusers") is None:
        pytest.skip("diffusers is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module("diffusers")
        for name in ("AutoencoderKL", "UNet2DConditionModel", "Transformer2DModel"):
            getattr(module, name)  # lazily imported attributes
    return module


@pytest.fixture(scope="session")
def clip_text_model() -> Callable[..., nn.Module]:
    """Hugging Face's text tower of CLIP, of the sizes that are given."""
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module("transformers.models.clip.modeling_clip")

    def make(**sizes: int) -> nn.Module:
        return module.CLIPTextModel(module.CLIPTextConfig(**sizes, bos_token_id=2, eos_token_id=3, pad_token_id=0))

    return make


@pytest.fixture
def stirred() -> Callable[[Net], Net]:
    """Move every parameter off its initial value: norms start at one and biases at zero, and would hide mistakes."""

    def stir(network: Net) -> Net:
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        return network.eval()

    return stir


@pytest.fixture
def norm_constants() -> Callable[[nn.Module], dict[str, float]]:
    """The eps of every normalisation by name: too small to show in an output."""

    def read(network: nn.Module) -> dict[str, float]:
        norms = (nn.GroupNorm, nn.LayerNorm)
        return {name: module.eps for name, module in network.named_modules() if isinstance(module, norms)}

    return read
