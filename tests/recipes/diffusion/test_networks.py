"""The U-Net of SAR diffusion: its size, and where it attends."""

from __future__ import annotations

import torch

from rsforge.recipes.diffusion.networks import build_unet
from rsforge.settings.diffusion_sar import SarUNetSettings

CPU = torch.device("cpu")
VAE = "--vae {} "


def test_the_documents_unet_has_the_size_of_stable_diffusions_with_eight_channels():
    with torch.device("meta"):
        unet = build_unet(SarUNetSettings(), 4, 768)
    assert sum(p.numel() for p in unet.parameters()) == 859_532_484


def test_attention_stands_at_the_levels_that_are_named():
    with torch.device("meta"):
        unet = build_unet(SarUNetSettings(channels=(32, 32, 32), attention_levels=(4,)), 4, 16)
    assert [bool(stage.attentions) for stage in unet.down_blocks] == [False, False, True]
