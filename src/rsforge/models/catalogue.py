"""Networks by name: what a checkpoint says of its architecture, made a network again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.models.latent_mlp import LatentMlp
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.unet import UNet
from rsforge.models.vector_vae import VectorVae

AUTOENCODERS: dict[str, type[Autoencoder]] = {"vector_vae": VectorVae, "autoencoder_kl": AutoencoderKL}
DENOISERS: dict[str, type[Denoiser]] = {"unet": UNet, "latent_mlp": LatentMlp}
TRANSLATORS: dict[str, type[nn.Module]] = {"pix2pix_unet": Pix2PixUNet, "patch_critic": PatchCritic}


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """The network, freshly initialised, that an ``architecture`` attribute describes.

    RSF-C007 for a name that is not in the catalogue and for options that the network does not take.
    """
    networks: dict[str, type[nn.Module]] = {**AUTOENCODERS, **DENOISERS, **TRANSLATORS}
    options = dict(architecture)
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in networks:
        raise _unknown(f"name {name!r}; known are {', '.join(networks)}")
    try:
        return networks[name](**options)
    except (TypeError, ValueError) as error:
        raise _unknown(f"{name}: {error}") from error


def _unknown(found: str) -> RsforgeError:
    return RsforgeError("RSF-C007", "this architecture cannot be built", where="architecture", found=found)
