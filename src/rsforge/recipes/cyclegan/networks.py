"""The generators and discriminators of a training, and the linear model that one of them starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from torch import Tensor, nn

from rsforge.data.sar.radiometry import Radiometry
from rsforge.engine.loader import IndexedDataset
from rsforge.models.image_level import standardise_images
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet, depth_for
from rsforge.models.statistics_translator import StatisticsUNet
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.evaluation.linear_sar import fit_linear_sar
from rsforge.recipes.inference.sar_values import UNIT_SYMBOLS
from rsforge.recipes.training.job import Compute
from rsforge.settings.cyclegan import CycleGanTrainSettings

COLOURS = 3


def build_networks(settings: CycleGanTrainSettings, pairs: PairSets, compute: Compute) -> dict[str, nn.Module]:
    return build(settings, pairs.sar_channels, standardise=is_standardised(settings, pairs.radiometry))


def build(settings: CycleGanTrainSettings, sar_channels: int, *, standardise: bool = False) -> dict[str, nn.Module]:
    """The four networks, freshly initialised, on the names that the document gives them.

    ``standardise`` is for the SAR images that optical ones are made of.
    """
    gan, paired_ = settings.gan, not settings.data.unpaired
    common: dict[str, Any] = {"base": gan.base_width, "attention": gan.attention}
    generator = partial(Pix2PixUNet, depth=depth_for(settings.data.image_size), norm=gan.norm, **common)
    norm = gan.critic_norm or ("instance" if settings.loss.gan_loss == "wgan-gp" else "batch")
    both = sar_channels + COLOURS
    to_optical = partial(StatisticsUNet, **generator.keywords) if has_linear_path(settings) else generator
    return {
        "gen_AB": to_optical(in_channels=sar_channels, out_channels=COLOURS, standardise=standardise),
        "gen_BA": generator(in_channels=COLOURS, out_channels=sar_channels),
        "disc_X": PatchCritic(in_channels=both if paired_ else sar_channels, norm=norm, **common),
        "disc_Y": PatchCritic(in_channels=both if paired_ else COLOURS, norm=norm, **common),
    }


def has_linear_path(settings: CycleGanTrainSettings) -> bool:
    """Whether the generator of optical images starts from a linear model, which needs pairs."""
    return settings.gan.linear_path and not settings.data.unpaired


def is_standardised(settings: CycleGanTrainSettings, radiometry: Radiometry) -> bool:
    """Whether the generator of optical images takes each SAR image at mean 0 and deviation 1."""
    return {"keep": False, "standardise": True, "auto": radiometry.unit not in UNIT_SYMBOLS}[settings.gan.sar_level]


def describe_level(settings: CycleGanTrainSettings, radiometry: Radiometry) -> str:
    """What is done about the level of SAR images, and what that takes for granted, in a line."""
    if is_standardised(settings, radiometry):
        return "each SAR image or tile at mean 0 and deviation 1: what its values are in units does not count"
    if radiometry.unit in UNIT_SYMBOLS:
        return "kept: sigma0 means the same in every image"
    return (
        f"kept, as if {radiometry.unit} values had one scale in all images, here and where the model is used; where "
        "they are stretched image by image, --sar-level standardise"
    )


def fit_linear_path(nets: Mapping[str, nn.Module], fit: Callable[[], Mapping[str, Any]]) -> None:
    """Give the generator of optical images the linear model that ``fit`` makes, where it has a place for one."""
    generator = nets["gen_AB"]
    if isinstance(generator, StatisticsUNet):
        generator.linear.take(fit())


def fit_standardised(samples: IndexedDataset) -> dict[str, Any]:
    """The linear model of local statistics of SAR images at mean 0 and deviation 1."""

    def standardise(item: tuple[Tensor, Tensor]) -> Tensor:
        return standardise_images(item[0][None])[0]

    return fit_linear_sar(samples, sar_of=standardise, image_of=itemgetter(1))
