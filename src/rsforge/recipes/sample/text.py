"""``rsforge sample text``: images of prompts from a pretrained or fine-tuned Stable Diffusion model."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge import durable, leftovers
from rsforge.data.io.image_writer import check_picture_path, image_name
from rsforge.engine import devices
from rsforge.errors import RsforgeError, from_os_error
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.pipeline import LatentPipeline, Walk
from rsforge.recipes.inference.broken_images import check_images
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.pretrained.open import open_pretrained
from rsforge.recipes.sample.images import write_images
from rsforge.recipes.text_to_image.load import load_model
from rsforge.recipes.training import output_dir
from rsforge.settings.sample_text import SampleTextSettings

LONGEST_SHOWN = 40
CHECKPOINT = ".pt"


def draw(settings: SampleTextSettings, console: Console) -> dict[str, Any]:
    """Draw the images of all prompts, write them, and beside them the record of how they were made."""
    check_picture_path(settings.output)
    prompts = read_prompts(settings)
    device = devices.choose(settings.device)
    console.say(f"device     {devices.describe(device)}")
    model, adapters = open_model(settings, device, console)
    _warn_of_long(prompts, model, console)
    pipeline = _open_pipeline(model, settings)
    walk = _walk(pipeline, model, settings)
    seed = settings.seed if settings.seed is not None else secrets.randbelow(2**31)
    result = {
        "output": str(settings.output), "pipeline": str(settings.pipeline), "adapters": adapters, "prompts": prompts,
        "negative_prompt": settings.negative_prompt, "images": len(prompts) * settings.num_images, "seed": seed,
        "device": str(device), "sampler": walk.sampler, "steps": len(walk.steps), "eta": walk.eta,
        "guidance_scale": settings.guidance_scale, "guidance_rescale": settings.guidance_rescale,
        "image_size": pipeline.latent_shape[1] * model.autoencoder.factor,
    }  # fmt: skip
    if console.dry_run:
        return result
    output_dir.make(settings.output.parent)
    every = [prompt for prompt in prompts for _ in range(settings.num_images)]
    drawn = draw_all(pipeline, model, every, walk, settings, console, seed=seed)
    check_images(drawn, [f"{image_name(k)} of {prompt}" for k, prompt in enumerate(every)], console)
    result |= write_images(settings.output, drawn, nrow=settings.nrow)
    record = settings.output.with_suffix(".json")
    leftovers.sweep_for([record])
    durable.write_json(record, result)
    return result


def open_model(
    settings: SampleTextSettings, device: torch.device, console: Console
) -> tuple[PretrainedModel, list[dict[str, Any]]]:
    """The pretrained model that the settings name, or that of a checkpoint of ``diffusion finetune``, with adapters."""
    if settings.pipeline.suffix.lower() != CHECKPOINT:
        return open_pretrained(settings.pipeline, settings, device, console)
    model = load_model(settings.pipeline)
    return model.to(device), merge_adapters(model, settings.adapters, console)


def read_prompts(settings: SampleTextSettings) -> list[str]:
    """The prompt, or those of the file without empty lines. RSF-D006 for no text, RSF-D004 where there are none."""
    if settings.prompts_file is None:
        return [settings.prompt or ""]
    try:
        lines = settings.prompts_file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise from_os_error(error) from error
    except UnicodeDecodeError as error:
        what = f"{settings.prompts_file.name} is no UTF-8 text"
        raise RsforgeError("RSF-D006", what, where=str(settings.prompts_file)) from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        what, fix = f"{settings.prompts_file.name} holds no prompt", "write a prompt a line"
        raise RsforgeError("RSF-D004", what, where=str(settings.prompts_file), fix=fix)
    return prompts


def _warn_of_long(prompts: Sequence[str], model: PretrainedModel, console: Console) -> None:
    for prompt, count in zip(prompts, model.tokenizer.count_tokens(prompts), strict=True):
        if count > model.tokenizer.max_length:
            shown = prompt if len(prompt) <= LONGEST_SHOWN else f"{prompt[:LONGEST_SHOWN]}..."
            console.warn(f"{shown!r} has {count} tokens; the first {model.tokenizer.max_length} are read")


def _open_pipeline(model: PretrainedModel, settings: SampleTextSettings) -> LatentPipeline:
    try:
        return model.pipeline(settings.image_size, negative_prompt=settings.negative_prompt)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size") from error


def _walk(pipeline: LatentPipeline, model: PretrainedModel, settings: SampleTextSettings) -> Walk:
    suited = "ddim" if settings.eta else model.networks.schedule.sampler
    try:
        return pipeline.walk(settings.sampler or suited, settings.num_inference_steps, eta=settings.eta)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--num-inference-steps") from error


def draw_all(
    pipeline: LatentPipeline,
    model: PretrainedModel,
    prompts: Sequence[str],
    walk: Walk,
    settings: SampleTextSettings,
    console: Console,
    *,
    seed: int,
) -> Tensor:
    """An image ``(3, H, W)`` of each of ``prompts``; it depends on its prompt, its place and ``seed`` alone."""
    runs = list(index_ranges(len(prompts), settings.batch_size))
    parts = []
    with console.progress("step", len(walk.steps) * len(runs)) as meter:
        for indices in runs:
            own = [prompts[index] for index in indices]
            guide = model.guide(own, settings.guidance_scale, settings.guidance_rescale)
            parts.append(pipeline.draw(indices, walk, seed=seed, guide=guide, on_step=lambda done: meter.step(1)).cpu())
    return torch.cat(parts)
