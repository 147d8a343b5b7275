"""The images of the validation prompt, and what is wrong with a training whose images are broken."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.errors import RsforgeError
from rsforge.recipes.inference.broken_images import find_flat
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_to_image.output_names import FINETUNE
from rsforge.settings.finetune import FinetuneSettings, ValidationImageSettings


def draw(model: PretrainedModel, options: ValidationImageSettings, *, seed: int, where: str) -> Tensor:
    """The images ``(N, 3, H, W)`` in [-1, 1], one after the other; RSF-T004 as ``check_image``."""
    pipeline = model.pipeline()
    steps = min(options.validation_steps, len(pipeline.alphas_cumprod) - 1)
    walk = pipeline.walk(model.networks.schedule.sampler, steps)
    guide = model.guide([options.validation_prompt], options.validation_guidance_scale)
    images = []
    for index in range(options.validation_images):
        latents = pipeline.draw_latents([index], walk, seed=seed, guide=guide)
        image = pipeline.decode(latents)
        check_image(latents, image, where=where)
        images.append(image.cpu())
    return torch.cat(images)


def preview(settings: FinetuneSettings, model: PretrainedModel, moment: Moment) -> Pictures:
    """The images of the validation prompt, in a row."""
    path = settings.run.output_dir / FINETUNE.sample_picture(moment)
    drawn = draw(model, settings.shown, seed=settings.run.seed, where=str(path))
    save_labelled_grid(path, drawn, nrow=len(drawn), title=f"{settings.shown.validation_prompt}, after {moment}")
    return {"validation": drawn}


def check_image(latents: Tensor, image: Tensor, *, where: str) -> None:
    """RSF-T004 with the cause, where an image or the latents that it was decoded of cannot be right."""
    if not latents.isfinite().all():
        what = "the network's latents are not finite: its weights or its arithmetic overflowed"
    elif not image.isfinite().all():
        what = "the image is not finite though its latents are: the autoencoder overflowed"
    elif find_flat(image).all():
        spread = float(latents.std())
        what = f"the image has one colour everywhere; its latents deviate by {spread:.3g}, where 1 is usual"
    else:
        return
    raise RsforgeError("RSF-T004", what, where=where, kept="the checkpoints of earlier steps, if there are any")
