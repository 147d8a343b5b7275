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
from rsforge.recipes.diffusion.load import OpenModel, open_model
from rsforge.recipes.diffusion.pipeline import LatentPipeline, Walk
from rsforge.recipes.inference.broken_images import check_images
from rsforge.recipes.training import output_dir
from rsforge.settings.sample import SampleSettings

INDIVIDUALS = 16


def draw(settings: SampleSettings, console: Console) -> dict[str, Any]:
    """Draw images and write them as a grid, and one by one when they are few."""
    check_picture_path(settings.output)
    device = devices.choose(settings.device)
    console.say(f"device     {devices.describe(device)}")
    model = open_model(settings.diffusion_checkpoint, settings.vae_checkpoint, device, averaged=settings.use_ema)
    say_partner(settings.diffusion_checkpoint, settings.vae_checkpoint, model, console)
    walk = choose_walk(model.pipeline, settings.sampler, settings.ddim_steps, eta=settings.eta)
    seed = settings.seed if settings.seed is not None else secrets.randbelow(2**31)
    result = {"output": str(settings.output), "images": settings.num_images, "seed": seed, "device": str(device),
            "sampler": walk.sampler, "steps": len(walk.steps)}  # fmt: skip
    if console.dry_run:
        return result
    output_dir.make(settings.output.parent)
    size = settings.batch_size
    drawn = _draw_in_batches(model.pipeline, settings.num_images, walk, console, seed=seed, batch_size=size)
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


def say_partner(diffusion: Path, vae: Path | None, model: OpenModel, console: Console) -> None:
    """Report which autoencoder was found, where nobody named one."""
    if vae is None:
        console.say(f"using      --vae-checkpoint {model.vae_path} (the autoencoder of {diffusion})")


def choose_walk(pipeline: LatentPipeline, sampler: str | None, steps: int | None, *, eta: float = 0.0) -> Walk:
    """The walk of these options; RSF-U005 for a number of steps that the model's schedule does not have."""
    try:
        return pipeline.walk(sampler, steps, eta=eta)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--ddim-steps") from error


def _draw_in_batches(
    pipeline: LatentPipeline, count: int, walk: Walk, console: Console, *, seed: int, batch_size: int
) -> Tensor:
    """So many images ``(count, 3, H, W)`` on the CPU; each depends on the seed and its number alone."""
    runs = list(index_ranges(count, batch_size))
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
