"""Latents of captioned images as a text-to-image model sees them: stored, or encoded anew at each step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from rsforge.data.latent_cache import LatentDataset, draw_latents, spread_places
from rsforge.engine import checkpoint
from rsforge.losses.gaps import VALID
from rsforge.metrics.caption_gaussian import CaptionGaussian, fit_captions
from rsforge.metrics.caption_words import gather_captions
from rsforge.noise.gaussian_denoiser import ClosedForm
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.diffusion.encode_latents import FITTED, Encoder, Latents, Store, find_masks, fit_closed_forms
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_to_image.captioned_images import TOKENS, CaptionedImages
from rsforge.recipes.training.job import Compute
from rsforge.settings.finetune import FinetuneSettings
from rsforge.tasks.diffusion import already_encoded

IMAGES, LATENTS = "images", "latents"
CAPTION_GAUSSIAN = "caption_gaussian"
"""The name of the closed form whose mean is linear in the words of captions."""


def encode_fresh(data: CaptionedImages, model: PretrainedModel, compute: Compute) -> Latents:
    """Images encoded at each step; latents times the scaling factor are what the U-Net sees."""
    train, held_out = (NamedSamples(samples, (IMAGES,)) for samples in (data.images.train, data.images.held_out))
    return Latents(train, held_out, Encoder(model.autoencoder).moments_of, *_scaling(model, compute.device))


def load_or_encode(
    settings: FinetuneSettings,
    data: CaptionedImages,
    model: PretrainedModel,
    folder: Path,
    compute: Compute,
    console: Console,
) -> Latents:
    """Moments of every image on disk; mirrored views are stored too."""
    digest = checkpoint.digest_weights(model.autoencoder.state_dict())
    store = Store(folder, settings.data.image_size, model.autoencoder, digest, compute, console)
    split, seed, scaling = data.identity["split"], settings.run.seed, _scaling(model, compute.device)
    train, names = store.moments(data.images.plain, "train", split, mirrored=settings.data.random_flip)
    held_out, held_names = store.moments(data.images.held_out, "held out", split, mirrored=False)
    masks = find_masks(data.images.plain, train)
    return Latents(
        LatentDataset({LATENTS: train, **masks}, names, seed=seed),
        LatentDataset({LATENTS: held_out, **find_masks(data.images.held_out, held_out)}, held_names, seed=seed),
        already_encoded,
        *scaling,
        fit_closed_forms(draw_latents(train, FITTED, seed=seed, valid=masks.get(VALID)), *scaling),
    )


def _scaling(model: PretrainedModel, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean 0, and the deviation whose inverse is the scaling factor, as those that standardise latents."""
    shape = (model.autoencoder.latent_channels, 1, 1)
    scale = torch.full(shape, 1 / model.networks.scaling_factor)
    return torch.zeros(shape, device=device), scale.to(device)


def fit_to_captions(
    latents: Latents, data: CaptionedImages, tokens: npt.NDArray[Any], seed: int
) -> CaptionGaussian | None:
    """The closed form of stored training latents that knows their captions ``tokens`` ``(D, N)``; None without two."""
    train = latents.train
    if not isinstance(train, LatentDataset) or len(train) < 2:
        return None
    moments = train.arrays[LATENTS]
    drawn = draw_latents(moments, FITTED, seed=seed, valid=train.arrays.get(VALID)).to(latents.mean.device)
    rows = torch.from_numpy(tokens)
    images = [image for image, _ in spread_places(moments, FITTED)]
    captions = gather_captions([rows[data.numbers.train[image]] for image in images])
    return fit_captions(((drawn - latents.mean) / latents.std).flatten(1).cpu(), captions).to(latents.mean.device)


def read_captions(form: CaptionGaussian | None, batch: Mapping[str, Any]) -> dict[str, ClosedForm]:
    """The closed form that knows the captions of a batch, where there is one."""
    return {} if form is None else {CAPTION_GAUSSIAN: form.read(batch[TOKENS])}
