"""``rsforge diffusion train``: a denoiser in the latent space of a trained autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rsforge.data.io.image_writer import save_grid
from rsforge.engine.trainer import Pictures
from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.models.latent_mlp import LatentMlp
from rsforge.models.resnet import group_count
from rsforge.models.unet import UNet
from rsforge.noise.schedules import table_of
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import image_folder
from rsforge.recipes.diffusion import encode_latents
from rsforge.recipes.diffusion.encode_latents import Latents
from rsforge.recipes.diffusion.output_names import DIFFUSION
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.training import loss_plots, output_dir, output_names
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.run import conduct, held, plan, start
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.samplers.timesteps import StepGrid, default_spacing
from rsforge.seeds import derive
from rsforge.settings.diffusion import DenoiserSettings, DiffusionTrainSettings
from rsforge.tasks.denoising_figures import draws_per_latent
from rsforge.tasks.diffusion import DiffusionTask

SHOWN = 4
PREVIEW_SAMPLER = "ddim"


def train(settings: DiffusionTrainSettings, show: Console) -> dict[str, Any]:
    """Train a denoiser; returns where it lies and how good it became."""
    return start(settings, DIFFUSION, "diffusion", show, run_in)


def run_in(
    settings: DiffusionTrainSettings, where: Compute, show: Console, state: dict[str, Any] | None
) -> dict[str, Any]:
    output_dir.check_apart(settings.run, DIFFUSION, settings.data.data_dir)
    encode_latents.check_augmentation(settings)
    autoencoder, vae = load_autoencoder(settings.denoiser.vae_checkpoint, where.device)
    check_size(settings.data.image_size, vae)
    if state is not None and state["vae"]["digest"] != vae.digest:
        raise RsforgeError("RSF-C006", "the run to resume was trained with another autoencoder",
                           where=str(settings.denoiser.vae_checkpoint))  # fmt: skip
    torch.manual_seed(derive(settings.run.seed, "weights"))
    network = build(settings.denoiser, autoencoder.latent_shape(settings.data.image_size))
    data = image_folder.load_images(settings.data, settings.run, show, keep=not settings.denoiser.latent_cache)
    if state is not None:
        output_dir.check_same(state, settings, data.identity, where=str(settings.run.output_dir))
    if show.dry_run:
        uncached = encode_latents.fresh(data, autoencoder, vae, where)
        return plan(_job(settings, network, autoencoder, vae, data, uncached, where, state), settings, where)
    with held(settings.run, where):
        if where.world.writes:
            output_dir.prepare(settings.run, DIFFUSION, settings, show, fresh=state is None)
        ready = _latents(settings, data, autoencoder, vae, where, show)
        job = _job(settings, network, autoencoder, vae, data, ready, where, state)
        return conduct(job, settings, where, show, state)


def _latents(
    settings: DiffusionTrainSettings,
    data: image_folder.ImageSets,
    autoencoder: Autoencoder,
    vae: LoadedModel,
    where: Compute,
    show: Console,
) -> Latents:
    if settings.denoiser.latent_cache:
        return encode_latents.cached(settings, data, autoencoder, vae, where, show)
    return encode_latents.fresh(data, autoencoder, vae, where)


def check_size(image_size: int, vae: LoadedModel) -> None:
    """RSF-C006 when images of this size are not what the autoencoder was trained on."""
    trained = vae.state["image_size"]
    if image_size != trained:
        raise RsforgeError(
            "RSF-C006",
            f"the autoencoder was trained on images of {trained} pixels",
            where="--image-size",
            found=str(image_size),
            fix=f"use --image-size {trained}",
        )


def build(options: DenoiserSettings, latent_shape: tuple[int, ...]) -> Denoiser:
    """An MLP for vector latents, a U-Net for maps; RSF-U005 when the settings do not fit the latent."""
    try:
        if len(latent_shape) == 1:
            return LatentMlp(
                latent_dim=latent_shape[0], hidden=options.hidden, time_dim=options.time_dim, dropout=options.dropout
            )
        return unet(options, latent_shape)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--channels, --hidden, --head-width") from error


def unet(options: DenoiserSettings, latent_shape: tuple[int, ...]) -> UNet:
    """Attention on every level but the first and finest, as deep as the latent can be halved."""
    levels = len(options.channels)
    if latent_shape[-1] % 2 ** (levels - 1):
        raise ValueError(
            f"{levels} --channels halve a latent of {latent_shape[-1]} pixels {levels - 1} times: too often"
        )
    down = ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1)
    up = ("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",)
    network = UNet(
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
    network.use_checkpointing(options.gradient_checkpointing)
    return network


def _job(
    settings: DiffusionTrainSettings,
    network: Denoiser,
    autoencoder: Autoencoder,
    vae: LoadedModel,
    data: image_folder.ImageSets,
    ready: Latents,
    where: Compute,
    state: dict[str, Any] | None,
) -> TrainingSpec:
    options = settings.denoiser
    draws = validation_draws(options, ready, state)
    schedule = describe_schedule(options)
    table = table_of(schedule)
    shape = autoencoder.latent_shape(settings.data.image_size)
    task = DiffusionTask(
        network.to(where.device),
        alphas_cumprod=table,
        mean=ready.mean,
        std=ready.std,
        prediction=options.prediction,
        min_snr_gamma=options.min_snr_gamma,
        timestep_sampling=options.timestep_sampling,
        validation_draws=draws,
        moments_of=ready.moments_of,
    )
    grid = StepGrid.stored(schedule)
    pipeline = LatentPipeline(network, autoencoder, table, options.prediction, shape, ready.mean, ready.std, grid)
    return TrainingSpec(
        task,
        ready.train,
        ready.held_out,
        DIFFUSION,
        _identity(settings, network, vae, data, ready, shape) | {"validation_draws": draws},
        monitor="val/loss",
        preview=partial(preview, settings, pipeline),
        plot=partial(plot, settings.run.output_dir),
    )


def validation_draws(options: DenoiserSettings, latents: Latents, state: Mapping[str, Any] | None) -> int:
    """Timesteps of each held-out image; those of the run to resume, whose best figure was measured by them."""
    if state is not None:
        return int(state.get("validation_draws", 1))
    return options.validation_draws or draws_per_latent(len(latents.held_out), len(latents.train))


def describe_schedule(options: DenoiserSettings) -> dict[str, Any]:
    """The noise levels of training and where a walk visits them, as a checkpoint says it."""
    spacing = default_spacing(options.prediction, zero_terminal_snr=options.zero_terminal_snr)
    return {
        "kind": options.schedule,
        "timesteps": options.timesteps,
        "zero_terminal_snr": options.zero_terminal_snr,
        **StepGrid(spacing).as_dict(),
    }


def _identity(
    settings: DiffusionTrainSettings,
    network: Denoiser,
    vae: LoadedModel,
    data: image_folder.ImageSets,
    ready: Latents,
    shape: tuple[int, ...],
) -> dict[str, Any]:
    return {
        "kind": "diffusion",
        "architecture": network.architecture,
        "image_size": settings.data.image_size,
        "latent_shape": shape,
        "prediction": settings.denoiser.prediction,
        "schedule": describe_schedule(settings.denoiser),
        "timestep_sampling": settings.denoiser.timestep_sampling,
        "latent_mean": ready.mean,
        "latent_std": ready.std,
        "vae": {"digest": vae.digest, "architecture": vae.state["architecture"]},
        "settings": output_dir.plain(settings),
        "images": data.identity,
    }


def preview(settings: DiffusionTrainSettings, pipeline: LatentPipeline, epochs: int) -> Pictures:
    """The same four images at every preview, in a row, and the loss curves so far."""
    output = settings.run.output_dir
    drawn = pipeline.draw(range(SHOWN), pipeline.walk(PREVIEW_SAMPLER), seed=settings.run.seed)
    save_grid(output / DIFFUSION.samples.format(epochs), drawn.cpu(), nrow=SHOWN)
    plot(output)
    return {"samples": drawn.cpu()}


def plot(output: Path) -> None:
    """loss_history.png, from the journal."""
    rows = loss_plots.closed_epochs(output / output_names.JOURNAL) if (output / output_names.JOURNAL).exists() else []
    if rows:
        loss_plots.draw(rows, loss_plots.DIFFUSION_CURVES, output / DIFFUSION.plot, marks={})
