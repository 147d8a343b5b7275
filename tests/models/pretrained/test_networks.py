"""Whether the parts of a model fit together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained.networks import PretrainedNetworks, check_parts
from rsforge.models.pretrained.scheduler_config import ForeignSchedule
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet

TINY = {"block_out_channels": (32,), "down_block_types": ("CrossAttnDownBlock2D",)}


def test_parts_that_do_not_fit_are_named():
    with torch.device("meta"):
        networks = PretrainedNetworks(
            UNet(**TINY, cross_attention_dim=12), AutoencoderKL(block_out_channels=(32, 32, 32)),
            TextEncoder(embedding_dim=12, num_heads=2, num_layers=1), 1.0, 5, ForeignSchedule({}, "eps"),
        )  # fmt: skip
        others = {
            "vectors are 24 wide, 12": {"text_encoder": TextEncoder(embedding_dim=24, num_heads=2, num_layers=1)},
            "latents are 3 wide, 4": {"autoencoder": AutoencoderKL(block_out_channels=(32,), latent_channels=3)},
            "latents are 4 wide, 8": {"unet": UNet(**TINY, cross_attention_dim=12, in_channels=8)},
            "predictions are 8 wide, 4": {"unet": UNet(**TINY, cross_attention_dim=12, out_channels=8)},
        }
    check_parts(networks, where="x")
    assert networks.image_size == 20
    for found, part in others.items():
        with pytest.raises(RsforgeError, match="do not fit together") as caught:
            check_parts(replace(networks, **part), where="x")
        assert caught.value.code == "RSF-C006" and found in caught.value.found
