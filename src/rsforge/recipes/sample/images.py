"""``rsforge sample``: images from a diffusion model and its autoencoder."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge import leftovers
from rsforge.data.io.image_writer import check_picture_path, image_name, save_grid, save_individuals
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.find_partner import AUTOENCODER, check_partner, find_autoencoder
from rsforge.recipes.diffusion.load import load_denoiser, stored_pipeline
from rsforge.recipes.diffusion.pipeline import LatentPipeline, Walk
from rsforge.recipes.inference.broken_images import check_images
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.sample import SampleSettings

INDIVIDUALS = 16


def draw(settings: SampleSettings, console: Console) -> dict[str, Any]:
    """Draw images and write them as a grid, and one by one when they are few."""
    check_picture_path(settings.output)
    device = devices.choose(settings.device)
    console.say(f"device     {devices.describe(device)}")
    pipeline, vae = load(settings.diffusion_checkpoint, settings.vae_checkpoint, device, averaged=settings.use_ema)
    if settings.vae_checkpoint is None:
        console.say(f"using      --vae-checkpoint {vae} (the autoencoder of {settings.diffusion_checkpoint})")
    walk = _walk(pipeline, settings)
    seed = settings.seed if settings.seed is not None else secrets.randbelow(2**31)
    result = {"output": str(settings.output), "images": settings.num_images, "seed": seed, "device": str(device),
            "sampler": walk.sampler, "steps": len(walk.steps)}  # fmt: skip
    if console.dry_run:
        return result
    output_dir.make(settings.output.parent)
    drawn = _draw(pipeline, settings, walk, seed, console)
    check_images(drawn, [image_name(k) for k in range(len(drawn))], console)
    return result | write_images(settings.output, drawn, nrow=settings.nrow)


def write_images(output: Path, drawn: Tensor, *, nrow: int) -> dict[str, Any]:
    """Write a grid of images ``(B, 3, H, W)`` and, when they are few, each of them; returns the folder of these."""
    own = output.with_name(f"{output.stem}_individual")
    leftovers.sweep_for([output, *(own / image_name(k) for k in range(INDIVIDUALS))])
    save_grid(output, drawn, nrow=nrow)
    _clear(own)
    if len(drawn) > INDIVIDUALS:
        return {}
    output_dir.make(own)
    save_individuals(own, drawn)
    return {"individual": str(own)}


def _clear(own: Path) -> None:
    """Remove the single images of an earlier drawing under the same name, and their folder if that empties it."""
    if own.is_dir():
        for stale in filter(Path.is_file, own.glob("image_*.png")):
            stale.unlink()
        if not own.is_symlink() and not any(own.iterdir()):
            own.rmdir()


def _walk(pipeline: LatentPipeline, settings: SampleSettings) -> Walk:
    try:
        return pipeline.walk(settings.sampler, settings.ddim_steps, eta=settings.eta)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--ddim-steps") from error


def _draw(pipeline: LatentPipeline, settings: SampleSettings, walk: Walk, seed: int, console: Console) -> Tensor:
    runs = list(index_ranges(settings.num_images, settings.batch_size))
    parts = []
    with console.progress("step", len(walk.steps) * len(runs)) as meter:
        for number, indices in enumerate(runs, 1):
            counted = f"{number}/{len(runs)}"
            parts.append(
                pipeline.draw(
                    indices,
                    walk,
                    seed=seed,
                    on_step=lambda done, counted=counted: meter.step(1, batch=counted),  # type: ignore[misc]
                ).cpu()
            )
    return torch.cat(parts)


def load(diffusion: Path, vae: Path | None, device: torch.device, *, averaged: bool) -> tuple[LatentPipeline, Path]:
    """The pipeline of two checkpoints that belong together (else RSF-C006), and the second, looked for when None."""
    denoiser, trained = load_denoiser(diffusion, device, averaged=averaged)
    if vae is None:
        vae, (autoencoder, partner) = find_autoencoder(diffusion, trained, device)
    else:
        autoencoder, partner = load_autoencoder(vae, device)
    check_partner(trained, partner, AUTOENCODER, where=str(vae))
    return stored_pipeline(trained.state, denoiser, autoencoder), vae
