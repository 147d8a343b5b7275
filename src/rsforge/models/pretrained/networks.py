"""The networks of a pretrained model, whatever format they came in."""

from __future__ import annotations

from dataclasses import dataclass

from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained.scheduler_config import ForeignSchedule
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet


@dataclass(frozen=True)
class PretrainedNetworks:
    """A text-to-image model but for its tokenizer.

    Latents of the autoencoder times ``scaling_factor`` are what the U-Net sees; it was trained on maps of
    ``latent_size`` on each side.
    """

    unet: UNet
    autoencoder: AutoencoderKL
    text_encoder: TextEncoder
    scaling_factor: float
    latent_size: int
    schedule: ForeignSchedule

    @property
    def image_size(self) -> int:
        """The side of images in pixels."""
        return self.latent_size * self.autoencoder.factor


def check_parts(networks: PretrainedNetworks, *, where: str) -> None:
    """RSF-C006 unless the U-Net reads the vectors of this text tower and the latents of this autoencoder."""
    unet, latent = networks.unet, networks.autoencoder.latent_channels
    pairs = {
        "the text encoder's vectors": (networks.text_encoder.width, unet.cross_attention_dim),
        "the autoencoder's latents": (latent, unet.in_channels),
        "the U-Net's predictions": (unet.conv_out.out_channels, latent),
    }
    for name, (given, needed) in pairs.items():
        if given != needed:
            found = f"{name} are {given} wide, {needed} are needed"
            fix = "name a text-to-image model whose parts were trained together"
            raise RsforgeError(
                "RSF-C006", "the parts of the model do not fit together", where=where, found=found, fix=fix
            )
