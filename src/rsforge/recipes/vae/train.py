"""``rsforge vae train``: an autoencoder from a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.data.io.image_writer import save_grid
from rsforge.engine.trainer import Pictures
from rsforge.errors import RsforgeError
from rsforge.losses.perceptual import no_perceptual, perceptual
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.interfaces import Autoencoder
from rsforge.models.resnet import group_count
from rsforge.models.vector_vae import VectorVae
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import image_folder
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.evaluation.baselines import KEY, baselines_for, fit_baselines
from rsforge.recipes.training import loss_plots, output_dir, output_names, vgg_weights
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.run import conduct, held, plan, start
from rsforge.recipes.vae.latent_statistics import SHOWN, LatentStatistics
from rsforge.recipes.vae.output_names import VAE
from rsforge.seeds import derive
from rsforge.settings.vae import AutoencoderSettings, VaeTrainSettings
from rsforge.tasks.vae import VaeTask

RECONSTRUCTED = 8


def train(settings: VaeTrainSettings, show: Console) -> dict[str, Any]:
    """Train an autoencoder; returns where it lies and how good it became."""
    return start(settings, VAE, "vae", show, run_in)


def run_in(settings: VaeTrainSettings, where: Compute, show: Console, state: dict[str, Any] | None) -> dict[str, Any]:
    output_dir.check_apart(settings.run, VAE, settings.data.data_dir)
    torch.manual_seed(derive(settings.run.seed, "weights"))
    network = build(settings.autoencoder, settings.data.image_size)
    data = image_folder.load_images(settings.data, settings.run, show)
    _check_batch_statistics(network, settings, len(data.train))
    if state is not None:
        output_dir.check_same(state, settings, data.identity, where=str(settings.run.output_dir))
    job = _job(settings, network, data, where)
    if show.dry_run:
        return plan(job, settings, where)
    with held(settings.run, where):
        if where.world.writes:
            output_dir.prepare(settings.run, VAE, settings, show, fresh=state is None)
            job = _with_baselines(job, network, data, state)
        return conduct(job, settings, where, show, state)


def _with_baselines(
    job: TrainingSpec, network: Autoencoder, data: image_folder.ImageSets, state: dict[str, Any] | None
) -> TrainingSpec:
    """The job whose checkpoints hold the baselines of its training images."""
    shape = network.latent_shape(job.identity["image_size"])
    fitted = baselines_for(state, partial(fit_baselines, data.plain, latent_shape=shape))
    return replace(job, identity={**job.identity, KEY: fitted})


def build(options: AutoencoderSettings, image_size: int) -> Autoencoder:
    """The autoencoder that the settings describe; RSF-U005 when it cannot take images of this size."""
    try:
        if options.latent == "vector":
            widths = options.channels or (64, 128, 256, 512)
            return VectorVae(image_size=image_size, latent_dim=options.latent_dim, channels=widths)
        widths = options.channels or (128, 256, 512, 512)
        network = AutoencoderKL(
            block_out_channels=widths,
            layers_per_block=options.layers_per_block,
            latent_channels=options.latent_channels,
            norm_num_groups=group_count(widths),
        )
        network.latent_shape(image_size)
        return network
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size, --channels") from error


def _check_batch_statistics(network: Autoencoder, settings: VaeTrainSettings, count: int) -> None:
    """RSF-U005 where batch statistics would be those of one number."""
    smallest = count // -(-count // settings.loop.batch_size)
    if isinstance(network, VectorVae) and settings.data.image_size == network.factor and smallest == 1:
        raise RsforgeError(
            "RSF-U005",
            "batches of one image leave nothing to normalise at the innermost level",
            where="--batch-size, --channels",
            found=f"{count} training images, a level of 1 x 1 pixels",
            fix="use a larger --batch-size, more images, or fewer --channels",
        )


def perceptual_of(options: AutoencoderSettings, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """The perceptual distance of the settings; RSF-E007 when its weights are nowhere."""
    if not options.perceptual:
        return no_perceptual
    what, without = "the perceptual loss", "--no-perceptual"
    return partial(perceptual, vgg_weights.features(options.vgg_weights, device, what=what, without=without))


def _job(
    settings: VaeTrainSettings, network: Autoencoder, data: image_folder.ImageSets, where: Compute
) -> TrainingSpec:
    options = settings.autoencoder
    task = VaeTask(
        network,
        kl_weight=options.kl_weight,
        kl_warmup=options.kl_warmup,
        kl_target=options.kl_target,
        kl_mode=options.kl_mode,
        perceptual=perceptual_of(options, where.device),
        perceptual_weight=options.perceptual_weight,
    )
    statistics = LatentStatistics(network.to(where.device), data.plain, where.device)
    identity = {
        "kind": "vae",
        "architecture": network.architecture,
        "image_size": settings.data.image_size,
        "settings": output_dir.plain(settings),
        "images": data.identity,
        "normalisation": {"low": -1.0, "high": 1.0},
    }
    shown = data.held_out if len(data.held_out) else data.plain
    return TrainingSpec(
        task,
        data.train,
        data.held_out,
        VAE,
        identity,
        monitor="val/neg_elbo",
        final_from=options.kl_warmup,
        preview=partial(preview, settings, network, stack_samples(shown, range(RECONSTRUCTED)), statistics),
        measure=statistics.measure,
        own_parts={"latents": statistics},
        plot=partial(plot, settings.run.output_dir, options.kl_target),
    )


def preview(
    settings: VaeTrainSettings, network: Autoencoder, originals: Tensor, statistics: LatentStatistics, epochs: int
) -> Pictures:
    """Draws from the prior and fixed held-out images above their reconstructions, and the loss curves so far."""
    output, device = settings.run.output_dir, statistics.device
    shape = network.latent_shape(settings.data.image_size)
    noise = torch.randn(SHOWN, *shape, generator=torch.Generator().manual_seed(settings.run.seed))
    # A map's prior is not what its images use: draw from what was measured. A vector is held near N(0, 1).
    z = noise if len(shape) == 1 else noise * statistics.std + statistics.mean
    samples = network.decode(z.to(device)).cpu()
    save_grid(output / VAE.samples.format(epochs), samples, nrow=4)
    pairs = torch.cat([originals, network(originals.to(device)).cpu()])
    save_grid(output / VAE.reconstructions.format(epochs), pairs, nrow=len(originals))
    plot(output, settings.autoencoder.kl_target)
    return {"samples": samples, "reconstructions": pairs}


def plot(output: Path, kl_target: float) -> None:
    """training_losses.png, from the journal."""
    rows = loss_plots.closed_epochs(output / output_names.JOURNAL) if (output / output_names.JOURNAL).exists() else []
    if rows:
        marks = {"KL (nats)": kl_target} if kl_target else {}
        loss_plots.draw(rows, loss_plots.VAE_CURVES, output / VAE.plot, marks=marks)
