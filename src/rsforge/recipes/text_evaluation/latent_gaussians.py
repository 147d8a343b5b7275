"""Images of Gaussians in latent space: what the autoencoder, and the words of captions, give without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from rsforge.data.clip_tokenizer import ClipTokenizer
from rsforge.losses.elbo import sample_latent
from rsforge.metrics.caption_words import Captions, gather_captions
from rsforge.metrics.shrunk_gaussian import ShrunkGaussian, fit_shrunk
from rsforge.metrics.word_regression import WordRegression, fit_words
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.text_evaluation.baselines import INDEX
from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_to_image.encode_images import CAPTION_GAUSSIAN
from rsforge.seeds import derive
from rsforge.settings.text_evaluate import TextEvaluateSettings
from rsforge.wording import count_noun

GAUSSIAN = "latent_gaussian"
MOST_IMAGES, MOST_BYTES = 2048, 1 << 28


@dataclass(frozen=True)
class OtherLatents:
    """Standardised latents ``(n, C h w)`` of other real images, and the token ids of their captions."""

    rows: Tensor
    captions: Captions

    @cached_property
    def told(self) -> tuple[WordRegression, Tensor]:
        """Their regression on the words of the captions, and what it leaves of each."""
        return fit_words(self.rows, self.captions)


def encode_latents(
    others: Captioned, pipeline: LatentPipeline, tokenizer: ClipTokenizer, seed: int, console: Console, *, size: int
) -> OtherLatents:
    """Those of evenly spread real images, at most so many as memory bounds; ``size`` of them at once."""
    numbers = int(torch.tensor(pipeline.latent_shape).prod())
    count = min(len(others), MOST_IMAGES, max(2, MOST_BYTES // (4 * numbers)))
    spread = [k * len(others) // count for k in range(count)]
    rows = []
    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        torch.no_grad(),
        console.progress("latents", count) as meter,
    ):
        torch.manual_seed(derive(seed, GAUSSIAN))
        for indices in index_ranges(count, size):
            x = torch.stack([others.samples[0, spread[k]] for k in indices]).to(pipeline.mean.device)
            latents = (sample_latent(*pipeline.autoencoder.encode(x)) - pipeline.mean) / pipeline.std
            rows.append(latents.flatten(1).float().cpu())
            meter.step(len(indices))
    captions = gather_captions([tokenizer.encode(others.texts[k]) for k in spread])
    return OtherLatents(torch.cat(rows), captions)


def gaussian_baseline(latents: OtherLatents, pipeline: LatentPipeline, seed: int) -> Baseline:
    """The predictor of decoded draws of the Gaussian of ``latents``, each by its number alone."""
    gaussian = fit_shrunk(latents.rows)
    meaning = (
        f"the autoencoder's images of a Gaussian with the full covariance of the latents of {len(latents.rows)} "
        f"real images, {100 * gaussian.shrinkage:.3g} % shrunk (Ledoit & Wolf 2004)"
    )
    return Baseline(GAUSSIAN, meaning, lambda batch: _decode(_draw(gaussian, batch[INDEX], seed), pipeline))


@dataclass(frozen=True)
class Asked:
    """The token ids of the captions to draw ``(n, N)`` and of the negative prompt ``(1, N)``, and the guidance."""

    captions: Tensor
    negative: Tensor
    guidance_scale: float

    @classmethod
    def of(cls, tokenizer: ClipTokenizer, captions: Sequence[str], settings: TextEvaluateSettings) -> Asked:
        """What the model is asked for."""
        encoded = tokenizer.encode(captions), tokenizer.encode([settings.negative_prompt])
        return cls(*encoded, guidance_scale=settings.guidance_scale)


def caption_gaussian_baseline(latents: OtherLatents, pipeline: LatentPipeline, asked: Asked, seed: int) -> Baseline:
    """The predictor of decoded draws of the Gaussian whose mean is linear in the words of the caption.

    Guidance is exact here: of normal distributions of one covariance it moves the mean alone, and nothing is to be
    rescaled. The noise of a number is that of ``gaussian_baseline``.
    """
    words, left = latents.told
    remainder = fit_shrunk(left)
    away = words.predict(asked.negative)

    def predict(batch: Batch) -> Prediction:
        told = words.predict(asked.captions[batch[INDEX]])
        return _decode(away + asked.guidance_scale * (told - away) + _draw(remainder, batch[INDEX], seed), pipeline)

    meaning = (
        f"the autoencoder's images of a Gaussian whose mean is linear in the {count_noun(len(words.words), 'word')} of "
        f"the captions of {len(latents.rows)} real images (ridge regression, strength {words.strength:.3g} by folds), "
        f"{100 * remainder.shrinkage:.3g} % shrunk, guided with the model's scale: what captions tell without a network"
    )
    return Baseline(CAPTION_GAUSSIAN, meaning, predict)


def _draw(gaussian: ShrunkGaussian, numbers: Sequence[int], seed: int) -> Tensor:
    generators = [torch.Generator().manual_seed(derive(seed, GAUSSIAN, number)) for number in numbers]
    return torch.stack([gaussian.sample(generator) for generator in generators])


def _decode(latents: Tensor, pipeline: LatentPipeline) -> Prediction:
    return {IMAGE: pipeline.decode(latents.unflatten(1, pipeline.latent_shape).to(pipeline.mean.device))}
