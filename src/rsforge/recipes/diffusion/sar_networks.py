"""The networks of ``diffusion train-sar``: a U-Net told by a prompt and a SAR latent, and a critic of images."""

from __future__ import annotations

import torch
from torch import nn

from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.recompute import use_checkpointing
from rsforge.models.resnet import group_count
from rsforge.models.unet import UNet
from rsforge.recipes.diffusion.encode_pairs import Standard
from rsforge.recipes.diffusion.sar_pipeline import SAR, TEXT, PromptReader
from rsforge.settings.diffusion_sar import SarTrainSettings, SarUNetSettings

CRITIC_WIDTH = 64
Networks = dict[str, nn.Module]


def build_networks(settings: SarTrainSettings, channels: int, context_width: int) -> Networks:
    """The denoiser of latents of ``channels``, and a critic of decoded images where that has a weight."""
    unet = build_unet(settings.unet, channels, context_width)
    use_checkpointing(unet, settings.denoiser.gradient_checkpointing)
    networks: Networks = {"denoiser": unet}
    if settings.loss.adversarial_weight:
        networks["critic"] = PatchCritic(in_channels=3, base=CRITIC_WIDTH, norm="instance")
    return networks


def build_unet(options: SarUNetSettings, channels: int, context_width: int, *, in_channels: int | None = None) -> UNet:
    """The U-Net of noisy and SAR latents of ``channels`` each, or of ``in_channels`` together.

    RSF-U005 where the options do not fit together.
    """
    factors = [2**level for level in range(len(options.channels))]
    unknown = set(options.attention_levels) - set(factors)
    if unknown or options.context_dim not in (None, context_width):
        found = f"attention at {sorted(unknown)}" if unknown else f"--unet-context-dim {options.context_dim}"
        what = f"the U-Net has levels {', '.join(map(str, factors))} and reads tokens of width {context_width}"
        raise RsforgeError("RSF-U005", what, where="--unet-attention-levels, --unet-context-dim", found=found)
    try:
        return UNet(
            in_channels=in_channels or 2 * channels,
            out_channels=channels,
            block_out_channels=options.channels,
            layers_per_block=options.layers_per_block,
            down_block_types=[
                "CrossAttnDownBlock2D" if factor in options.attention_levels else "DownBlock2D" for factor in factors
            ],
            attention_head_dim=options.num_heads,
            cross_attention_dim=context_width,
            norm_num_groups=group_count(options.channels),
        )
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--unet-channels, --unet-num-heads") from error


def conditioning_of(settings: SarTrainSettings, reader: PromptReader, sar: Standard) -> Conditioning:
    """The prompt by attention, and the SAR latent behind the noisy one, with what stands for none of either."""
    options = settings.denoiser
    return Conditioning(
        (
            ConditionInput(TEXT, "context", options.prompt_dropout, null=reader([""])[0]),
            ConditionInput(SAR, "condition", options.sar_dropout, null=torch.zeros_like(sar.mean)),
        )
    )
