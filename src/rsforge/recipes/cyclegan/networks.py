"""The generators and discriminators of a training, and the linear model that one of them starts from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from rsforge.models.image_level import ImageLevel
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet, depth_for
from rsforge.models.statistics_translator import StatisticsUNet
from rsforge.recipes.cyclegan.sar_level import LevelledPairs, LinearModels
from rsforge.recipes.training.job import Compute
from rsforge.settings.cyclegan import CycleGanTrainSettings

COLOURS = 3


def build_networks(settings: CycleGanTrainSettings, pairs: LevelledPairs, compute: Compute) -> dict[str, nn.Module]:
    return build(settings, pairs.sar_channels, pairs.level)


def build(settings: CycleGanTrainSettings, sar_channels: int, level: ImageLevel = "keep") -> dict[str, nn.Module]:
    """The four networks, freshly initialised, on the names that the document gives them.

    ``level`` is what the generator of optical images sees of SAR ones.
    """
    gan, paired_ = settings.gan, not settings.data.unpaired
    common: dict[str, Any] = {"base": gan.base_width, "attention": gan.attention}
    generator = partial(Pix2PixUNet, depth=depth_for(settings.data.image_size), norm=gan.norm, **common)
    norm = gan.critic_norm or ("instance" if settings.loss.gan_loss == "wgan-gp" else "batch")
    both = sar_channels + COLOURS
    to_optical = partial(StatisticsUNet, **generator.keywords) if has_linear_path(settings) else generator
    return {
        "gen_AB": to_optical(in_channels=sar_channels, out_channels=COLOURS, level=level),
        "gen_BA": generator(in_channels=COLOURS, out_channels=sar_channels),
        "disc_X": PatchCritic(in_channels=both if paired_ else sar_channels, norm=norm, **common),
        "disc_Y": PatchCritic(in_channels=both if paired_ else COLOURS, norm=norm, **common),
    }


def has_linear_path(settings: CycleGanTrainSettings) -> bool:
    """Whether the generator of optical images starts from a linear model, which needs pairs."""
    return settings.gan.linear_path and not settings.data.unpaired


def fit_linear_path(nets: Mapping[str, nn.Module], linear: LinearModels) -> None:
    """Give the generator of optical images the linear model of what it sees, where it has a place for one."""
    generator = nets["gen_AB"]
    if isinstance(generator, StatisticsUNet):
        generator.linear.take(linear(generator.level))
