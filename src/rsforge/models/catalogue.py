"""Networks by name: what a checkpoint says of its architecture, made a network again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import Any, cast

from torch import nn

from rsforge.errors import RsforgeError

# Where each network is; imported when it is built.
NETWORKS = {
    "vector_vae": "rsforge.models.vector_vae:VectorVae",
    "autoencoder_kl": "rsforge.models.autoencoder_kl:AutoencoderKL",
    "unet": "rsforge.models.unet:UNet",
    "latent_mlp": "rsforge.models.latent_mlp:LatentMlp",
    "gaussian_path": "rsforge.models.gaussian_path:GaussianPath",
    "pix2pix_unet": "rsforge.models.pix2pix:Pix2PixUNet",
    "statistics_unet": "rsforge.models.statistics_translator:StatisticsUNet",
    "patch_critic": "rsforge.models.patch_gan:PatchCritic",
    "text_encoder": "rsforge.models.text_encoder:TextEncoder",
    "adapter": "rsforge.models.adapter:Adapter",
    "image_encoder": "rsforge.models.image_encoder:ImageEncoder",
    "contrastive_head": "rsforge.models.image_encoder:ContrastiveHead",
    "clip_vision": "rsforge.models.clip_vision:ClipVision",
    "spectral_sr": "rsforge.models.spectral.spectral_sr:SpectralSR",
    "spectral_unmixing": "rsforge.models.spectral.unmixing:SpectralUnmixing",
    "spectral_transformer": "rsforge.models.spectral.transformer:SpectralTransformer",
    "spatial_sr": "rsforge.models.spectral.spatial_sr:SpatialSR",
    "lightweight": "rsforge.models.spectral.spatial_sr:LightweightSR",
}

DEPTHS = ("depth", "layers_per_block", "transformer_layers_per_block", "num_layers", "groups", "blocks", "layers")
MOST_LEVELS, MOST_WIDTH = 64, 1 << 16
# What constructors raise of options that are of another type, or that do not fit together.
UNBUILDABLE = (TypeError, ValueError, AttributeError, IndexError, KeyError, ArithmeticError, RuntimeError)


def find_network(name: str) -> type[nn.Module]:
    """The class of the network ``name`` (``KeyError``)."""
    module, attribute = NETWORKS[name].split(":")
    return cast(type[nn.Module], getattr(import_module(module), attribute))


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """The network, freshly initialised, that an ``architecture`` attribute describes.

    RSF-C007 for a name that is not in the catalogue and for options that the network does not take.
    """
    options = dict(architecture)
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in NETWORKS:
        raise _unknown(f"name {name!r}; known are {', '.join(NETWORKS)}")
    network = find_network(name)
    if reason := _find_excess(options) or _find_other_type(network, options):
        raise _unknown(f"{name}: {reason}")
    try:
        return network(**options)
    except UNBUILDABLE as error:
        raise _unknown(f"{name}: {error or type(error).__name__}") from error


def _find_excess(options: Mapping[str, Any]) -> str:
    """The first option whose numbers are no size of a network, or whose list is longer than one is deep."""
    for name, value in options.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        if len(values) > MOST_LEVELS:
            return f"{name} has {len(values)} entries"
        if any(isinstance(one, float) and not math.isfinite(one) for one in values):
            return f"{name} is {value}"
        if any(isinstance(one, int) and not 0 <= one <= MOST_WIDTH for one in values):
            return f"{name} is {value}"
        if name in DEPTHS and any(isinstance(one, int) and one > MOST_LEVELS for one in values):
            return f"{name} is {value}"
    return ""


def _find_other_type(network: type[nn.Module], options: Mapping[str, Any]) -> str:
    """The first option that is true, false or a fraction where ``network`` takes whole numbers.

    Some layers take them when they are built and fail when they compute.
    """
    for name, parameter in signature(network).parameters.items():
        value, kinds = options.get(name), str(parameter.annotation)
        values = value if isinstance(value, list | tuple) else [value]
        foreign = tuple(kind for kind in (bool, float) if kind.__name__ not in kinds)
        if "int" in kinds and any(isinstance(one, foreign) for one in values):
            return f"{name} is {value}, where whole numbers are taken"
    return ""


def _unknown(found: str) -> RsforgeError:
    return RsforgeError("RSF-C007", "this architecture cannot be built", where="architecture", found=found)
