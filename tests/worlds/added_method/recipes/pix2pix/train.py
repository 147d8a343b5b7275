"""``rsforge pix2pix train``: SAR to optical, one way."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from rsforge.models.encoder_decoder import EncoderDecoder
from rsforge.recipes.pix2pix.output_names import PIX2PIX
from rsforge.settings.pix2pix import Pix2PixTrainSettings
from rsforge.tasks.pix2pix import Pix2PixTask
from torch import Tensor, nn

from rsforge.data.io.image_writer import save_grid
from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.models.patch_gan import PatchCritic
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import pairs as pair_datasets
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit

COLOURS = 3
MODALITIES = ("sar", "optical")
Nets = dict[str, nn.Module]


def train(settings: Pix2PixTrainSettings, console: Console) -> dict[str, Any]:
    """Train a translator; returns where it lies and how good it became."""
    return fit(METHOD, settings, console)


def read_pairs(settings: Pix2PixTrainSettings, compute: Compute, console: Console) -> PairSets:
    return pair_datasets.load_pairs(settings.data, settings.run, console)


def build_networks(settings: Pix2PixTrainSettings, pairs: PairSets, compute: Compute) -> Nets:
    sar, base = pairs.sar_channels, settings.pix2pix.base_width
    generator = EncoderDecoder(in_channels=sar, out_channels=COLOURS, base=base)
    return {"generator": generator, "discriminator": PatchCritic(in_channels=sar + COLOURS, base=base)}


def spec(
    settings: Pix2PixTrainSettings, pairs: PairSets, nets: Nets, compute: Compute, console: Console
) -> TrainingSpec:
    for net in nets.values():
        net.to(compute.device)
    task = Pix2PixTask(**nets, lambda_l1=settings.pix2pix.lambda_l1)
    shown = pairs.held_out if len(pairs.held_out) else pairs.plain
    return TrainingSpec(
        task,
        NamedSamples(pairs.train, MODALITIES),
        NamedSamples(pairs.held_out, MODALITIES),
        identity={
            "architecture": {name: net.architecture for name, net in nets.items()},
            "image_size": settings.data.image_size,
            "radiometry": pairs.radiometry.as_dict(),
        },
        monitor="val/l1",
        preview=partial(preview, settings, nets["generator"], shown[0, 0], compute.device),
    )


def preview(
    settings: Pix2PixTrainSettings,
    generator: nn.Module,
    pair: tuple[Tensor, Tensor],
    device: torch.device,
    moment: Moment,
) -> Pictures:
    sar, optical = pair
    translated = generator(sar[None].to(device))[0].cpu()
    row = torch.stack([sar[:1].expand(COLOURS, -1, -1), optical, translated])
    save_grid(settings.run.output_dir / PIX2PIX.sample_picture(moment), row, nrow=len(row))
    return {"translations": translated[None]}


METHOD: Method[Pix2PixTrainSettings, PairSets, Nets] = Method(
    kind="pix2pix",
    outputs=PIX2PIX,
    curves={"L1": ["l1", "val/l1"], "discriminator": ["discriminator"]},
    required=("architecture", "image_size", "radiometry"),
    datasets=read_pairs,
    networks=build_networks,
    spec=spec,
)
