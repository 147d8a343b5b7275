"""``rsforge vae train``: an autoencoder from a folder of images."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.errors import RsforgeError
from rsforge.losses.perceptual import Distance, no_perceptual, perceptual
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.interfaces import Autoencoder
from rsforge.models.linear_layout import check_room
from rsforge.models.recompute import use_checkpointing
from rsforge.models.resnet import group_count
from rsforge.models.vector_vae import VectorVae
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import image_folder
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import ImageSets
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.evaluation.baselines import fit_baselines, fitted_bytes
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training import vgg_weights
from rsforge.recipes.training.decisions import Decision
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit
from rsforge.recipes.training.vgg_weights import Partners, load_features
from rsforge.recipes.vae.judge import judge
from rsforge.recipes.vae.latent_statistics import SHOWN, LatentStatistics
from rsforge.recipes.vae.linear_start import start_linear
from rsforge.recipes.vae.load import REQUIRED
from rsforge.recipes.vae.output_names import VAE
from rsforge.settings.vae import AutoencoderSettings, VaeTrainSettings
from rsforge.tasks.vae import VaeTask
from rsforge.wording import count_noun

RECONSTRUCTED = 8
PERCEPTUAL_LOSS = "the perceptual loss"
KL_PANEL = "KL (nats)"
CURVES: Curves = {
    "total": ["loss"],
    "reconstruction": ["mse", "val/mse"],
    KL_PANEL: ["kl", "val/kl"],
    "perceptual": ["perceptual"],
}


def train(settings: VaeTrainSettings, console: Console) -> dict[str, Any]:
    """Train an autoencoder; returns where it lies and how good it became."""
    return fit(METHOD, settings, console)


def check(settings: VaeTrainSettings, console: Console) -> None:
    """RSF-U005 for a network that cannot be built; tried on a device without memory."""
    with torch.device("meta"):
        build(settings.autoencoder, settings.data.image_size)


def read_images(settings: VaeTrainSettings, compute: Compute, console: Console) -> ImageSets:
    return image_folder.load_images(settings.data, settings.run, console)


def build_network(settings: VaeTrainSettings, data: ImageSets, compute: Compute) -> Autoencoder:
    return build(settings.autoencoder, settings.data.image_size)


def start_network(settings: VaeTrainSettings, data: ImageSets, network: Autoencoder, console: Console) -> None:
    """Fit a network to the training images as a linear code, unless a checkpoint has what it became since."""
    options = settings.autoencoder
    if (options.linear_path or options.linear_start) and settings.run.resume is None and not console.dry_run:
        start_linear(network, data.plain, nats=options.kl_target, chroma_weight=options.chroma_weight)
        console.say("start      a linear code, fitted to the training images; the network learns the rest")


def build(options: AutoencoderSettings, image_size: int, *, channels: str = "--channels") -> Autoencoder:
    """The autoencoder that the settings describe; RSF-U005 when it cannot take images of this size.

    ``channels`` is how the command calls the option of its widths.
    """
    try:
        if options.latent == "vector":
            widths = options.channels or (64, 128, 256, 512)
            dim, linear = options.latent_dim, options.linear_path
            return VectorVae(image_size=image_size, latent_dim=dim, channels=widths, linear_path=linear)
        widths = options.channels or (128, 256, 512, 512)
        network = AutoencoderKL(
            block_out_channels=widths,
            layers_per_block=options.layers_per_block,
            latent_channels=options.latent_channels,
            norm_num_groups=group_count(widths),
            linear_path=options.linear_path,
        )
        network.latent_shape(image_size)
        if options.linear_start:
            _check_linear_start(network, channels)
        use_checkpointing(network, options.gradient_checkpointing)
        return network
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where=f"--image-size, {channels}") from error


def _check_linear_start(network: AutoencoderKL, channels: str) -> None:
    """RSF-U005 for levels in which a linear code has no place."""
    try:
        check_room(network)
    except ValueError as error:
        option = channels.replace("channels", "linear-start")
        raise RsforgeError(
            "RSF-U005", str(error), where=f"{channels}, {option}",
            fix=f"use wider levels, such as {channels} 32 48, or begin as usual with --no-{option.removeprefix('--')}",
        ) from error  # fmt: skip


def _check_batch_statistics(network: Autoencoder, settings: VaeTrainSettings, count: int) -> None:
    """RSF-U005 where batch statistics would be those of one number."""
    smallest = count // -(-count // settings.loop.batch_size)
    if isinstance(network, VectorVae) and settings.data.image_size == network.factor and smallest == 1:
        raise RsforgeError(
            "RSF-U005",
            "batches of one image leave nothing to normalise at the innermost level",
            where="--batch-size, --channels",
            found=f"{count_noun(count, 'training image')}, a level of 1 x 1 pixels",
            fix="use a larger --batch-size, more images, or fewer --channels",
        )


def decide(
    settings: VaeTrainSettings, stored: Mapping[str, Any], compute: Compute, console: Console
) -> dict[str, Decision]:
    """Whether the perceptual loss is trained with, where the settings leave it open."""
    options = settings.autoencoder
    if options.perceptual != "auto" or not options.perceptual_weight:
        return {}
    given, before = options.vgg_weights, stored.get("perceptual")
    return {"perceptual": vgg_weights.decide(given, before, compute.world, console, what=PERCEPTUAL_LOSS)}


def is_compared(options: AutoencoderSettings) -> bool:
    """Whether features are compared: not at weight 0."""
    return options.perceptual != "no" and options.perceptual_weight > 0


def perceptual_of(settings: VaeTrainSettings, device: torch.device) -> tuple[Distance, Partners]:
    """The perceptual distance of the settings, and the weights it builds on; RSF-E007 when they are nowhere."""
    options = settings.autoencoder
    if not is_compared(options):
        return no_perceptual, {}
    resumed = settings.run.resume is not None
    network, partners = load_features(options.vgg_weights, device, what=PERCEPTUAL_LOSS, resumed=resumed)
    return partial(perceptual, network), partners


def spec(
    settings: VaeTrainSettings, data: ImageSets, network: Autoencoder, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    options = settings.autoencoder
    _check_batch_statistics(network, settings, len(data.train))
    start_network(settings, data, network, console)
    distance, partners = perceptual_of(settings, compute.device)
    task = VaeTask(
        network,
        kl_weight=options.kl_weight,
        kl_warmup=options.kl_warmup,
        kl_target=options.kl_target,
        kl_mode=options.kl_mode,
        kl_per_pixel=options.kl_per_pixel,
        perceptual=distance,
        perceptual_weight=options.perceptual_weight,
        chroma_weight=options.chroma_weight,
    )
    statistics = LatentStatistics(network.to(compute.device), data.plain, compute.device)
    shown = data.held_out if len(data.held_out) else data.plain
    size = settings.data.image_size
    latent_shape = network.latent_shape(size)
    return TrainingSpec(
        task,
        NamedSamples(data.train, ("images",)),
        NamedSamples(data.held_out, ("images",)),
        identity={
            "architecture": network.architecture,
            "image_size": size,
            "normalisation": {"low": -1.0, "high": 1.0},
        },
        # Weighed by pixel the KL is next to nothing, and the bound would prefer noisy latents to sharp images.
        monitor="val/mse" if options.kl_per_pixel else "val/neg_elbo",
        objective_warmup=options.kl_warmup,
        fitted_start=options.linear_path or options.linear_start,
        preview=partial(preview, settings, network, stack_samples(shown, range(RECONSTRUCTED)), statistics),
        measure=statistics.measure,
        partners=partners,
        parts={"latents": statistics},
        marks={KL_PANEL: options.kl_target} if options.kl_target else {},
        baselines=partial(fit_baselines, data.plain, latent_shape=latent_shape, mirrored=settings.data.flip > 0),
        fitted_bytes=fitted_bytes(data.plain[0, 0].shape, latent_shape),
    )


def preview(
    settings: VaeTrainSettings, network: Autoencoder, originals: Tensor, statistics: LatentStatistics, moment: Moment
) -> Pictures:
    """Draws from the prior and fixed held-out images above their reconstructions."""
    output, device = settings.run.output_dir, statistics.device
    shape = network.latent_shape(settings.data.image_size)
    noise = torch.randn(SHOWN, *shape, generator=torch.Generator().manual_seed(settings.run.seed))
    # A map's prior is not what its images use: draw from what was measured. A vector is held near N(0, 1).
    z = noise if len(shape) == 1 else noise * statistics.std + statistics.mean
    samples = network.decode(z.to(device)).cpu()
    save_labelled_grid(output / VAE.sample_picture(moment), samples, nrow=4, title=f"drawn after {moment}")
    pairs = torch.cat([originals, network(originals.to(device)).cpu()])
    save_labelled_grid(
        output / VAE.reconstruction_picture(moment), pairs, nrow=len(originals), rows=("image", "reconstruction")
    )
    return {"samples": samples, "reconstructions": pairs}


def next_command(settings: VaeTrainSettings, checkpoint: Path) -> str:
    return shlex.join(["rsforge", "diffusion", "train", "--vae", str(checkpoint)])


METHOD: Method[VaeTrainSettings, ImageSets, Autoencoder] = Method(
    kind="vae",
    outputs=VAE,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=read_images,
    networks=build_network,
    spec=spec,
    next_command=next_command,
    decide=decide,
    judge=judge,
)
