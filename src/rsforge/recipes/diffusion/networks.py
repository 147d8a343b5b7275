"""The networks of ``diffusion train`` and ``diffusion train-sar``, and the noise levels that they are trained at."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from rsforge.errors import RsforgeError
from rsforge.metrics.gaussian_denoiser import SCALES, count_directions
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.gaussian_path import GaussianPath
from rsforge.models.interfaces import Denoiser
from rsforge.models.latent_mlp import GROUPS, LatentMlp
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.recompute import use_checkpointing
from rsforge.models.resnet import group_count
from rsforge.models.unet import UNet
from rsforge.recipes.diffusion.encode_pairs import Standard
from rsforge.recipes.diffusion.sar_pipeline import SAR, TEXT, PromptReader
from rsforge.samplers.timesteps import StepGrid, default_spacing
from rsforge.settings.diffusion import DenoiserSettings, NoiseSettings
from rsforge.settings.diffusion_sar import SarTrainSettings, SarUNetSettings

NARROWEST = 2 * GROUPS  # of --hidden: two values in each group of a norm
CRITIC_WIDTH = 64
Networks = dict[str, nn.Module]


def build(options: DenoiserSettings, latent_shape: tuple[int, ...]) -> Denoiser:
    """An MLP for vector latents, a U-Net for maps; RSF-U005 when the settings do not fit the latent."""
    try:
        vector = len(latent_shape) == 1
        network: Denoiser = mlp(options, latent_shape[0]) if vector else unet(options, latent_shape)
        if options.gaussian_path:
            network = over_gaussian(options, network, latent_shape)
        use_checkpointing(network, options.gradient_checkpointing)
        return network
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--channels, --hidden, --head-width") from error


def mlp(options: DenoiserSettings, latent_dim: int) -> LatentMlp:
    """The network for vectors of ``latent_dim`` values."""
    if min(options.hidden) < NARROWEST:
        raise ValueError(
            f"--hidden {min(options.hidden)} leaves one value in each of {GROUPS} groups, and normalising "
            f"a single value removes it: the narrowest width is {NARROWEST}"
        )
    return LatentMlp(latent_dim=latent_dim, hidden=options.hidden, time_dim=options.time_dim, dropout=options.dropout)


def unet(options: DenoiserSettings, latent_shape: tuple[int, ...]) -> UNet:
    """Attention on every level but the first and finest, as deep as the latent can be halved."""
    levels = len(options.channels)
    if latent_shape[-1] % 2 ** (levels - 1):
        raise ValueError(
            f"{levels} --channels halve a latent of {latent_shape[-1]} pixels {levels - 1} times: too often"
        )
    down = ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1)
    up = ("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",)
    return UNet(
        in_channels=latent_shape[0],
        out_channels=latent_shape[0],
        block_out_channels=options.channels,
        layers_per_block=options.layers_per_block,
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=None,
        head_width=options.head_width,
        norm_num_groups=group_count(options.channels),
    )


def over_gaussian(options: DenoiserSettings, network: Denoiser, latent_shape: tuple[int, ...]) -> GaussianPath:
    """A network of the same kind that adds to the closed form of normally distributed latents, which is yet to fit."""
    return GaussianPath(
        network=network.architecture,
        prediction=options.prediction,
        schedule=describe_schedule(options),
        latent_shape=latent_shape,
        directions=count_directions(math.prod(latent_shape), math.prod(latent_shape)),
        scales=len(SCALES),
    )


def describe_schedule(options: NoiseSettings) -> dict[str, Any]:
    """The noise levels of training and where a walk visits them, as a checkpoint says it."""
    spacing = default_spacing(options.prediction, zero_terminal_snr=options.zero_terminal_snr)
    return {
        "kind": options.schedule,
        "timesteps": options.timesteps,
        "zero_terminal_snr": options.zero_terminal_snr,
        **StepGrid(spacing).as_dict(),
    }


def build_sar_networks(settings: SarTrainSettings, channels: int, context_width: int) -> Networks:
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
