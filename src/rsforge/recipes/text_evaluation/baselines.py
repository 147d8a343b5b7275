"""What a text-to-image model is compared with: other real images, its own of other captions, and a Gaussian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rsforge.losses.elbo import sample_latent
from rsforge.metrics.shrunk_gaussian import ShrunkGaussian, fit_shrunk
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_evaluation.class_accuracy import CLASS
from rsforge.recipes.text_evaluation.clip_score import TOKENS
from rsforge.recipes.text_evaluation.drawn_images import DrawnImages
from rsforge.seeds import derive

INDEX = "index"
OTHER_REAL, OTHER_CAPTIONS, GAUSSIAN = "other_real", "other_captions", "latent_gaussian"
MOST_IMAGES, MOST_BYTES = 2048, 1 << 28


@dataclass(frozen=True)
class OtherImages:
    """Real images that are not measured, with the numbers of their classes and the token ids of their captions."""

    images: Captioned
    classes: Tensor
    tokens: Tensor | None

    def choose(self, count: int, seed: int, *, classified: bool) -> list[int] | None:
        """``count`` of them by the seed, with ``classified`` of measured classes; None where they are fewer."""
        known = [k for k in range(len(self.images)) if not classified or self.classes[k] >= 0]
        if len(known) < count:
            return None
        generator = torch.Generator().manual_seed(derive(seed, OTHER_REAL))
        return [known[k] for k in torch.randperm(len(known), generator=generator)[:count].tolist()]

    def baseline(self, chosen: Sequence[int], device: torch.device) -> Baseline:
        """The predictor of the chosen images with their own captions and classes."""

        def predict(batch: Batch) -> Prediction:
            own = [chosen[index] for index in batch[INDEX]]
            found = {IMAGE: torch.stack([self.images.samples[0, k] for k in own]), CLASS: self.classes[own]}
            if self.tokens is not None:
                found[TOKENS] = self.tokens[own]
            return {name: value.to(device) for name, value in found.items()}

        meaning = "other real images with captions and classes of their own, which a model could reach"
        return Baseline(OTHER_REAL, meaning, predict, reference=True)


def pair_others(count: int, seed: int) -> list[int]:
    """For each of ``count`` numbers another one, each once."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(derive(seed, OTHER_CAPTIONS))).tolist()
    partner = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    return [partner[k] for k in range(count)]


def caption_baseline(drawn: DrawnImages, count: int, seed: int, device: torch.device) -> Baseline:
    """The predictor that gives what the model draws for another caption."""
    partners = pair_others(count, seed)
    return Baseline(
        OTHER_CAPTIONS,
        "what the model draws for the caption of another image: a model that reads no captions is no better",
        lambda batch: {IMAGE: drawn.read([partners[index] for index in batch[INDEX]]).to(device)},
    )


def fit_latents(
    samples: Captioned, pipeline: LatentPipeline, seed: int, console: Console, *, batch_size: int
) -> ShrunkGaussian:
    """The Gaussian of the latents ``(C·h·w)`` of evenly spread real images, at most so many as memory bounds."""
    numbers = int(torch.tensor(pipeline.latent_shape).prod())
    count = min(len(samples), MOST_IMAGES, max(2, MOST_BYTES // (4 * numbers)))
    spread = [k * len(samples) // count for k in range(count)]
    rows = []
    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        torch.no_grad(),
        console.progress("latents", count) as meter,
    ):
        torch.manual_seed(derive(seed, GAUSSIAN))
        for indices in index_ranges(count, batch_size):
            x = torch.stack([samples.samples[0, spread[k]] for k in indices]).to(pipeline.mean.device)
            latents = (sample_latent(*pipeline.autoencoder.encode(x)) - pipeline.mean) / pipeline.std
            rows.append(latents.flatten(1).float().cpu())
            meter.step(len(indices))
    return fit_shrunk(torch.cat(rows))


def gaussian_baseline(gaussian: ShrunkGaussian, pipeline: LatentPipeline, seed: int) -> Baseline:
    """The predictor of decoded draws of the Gaussian, each by its number alone."""

    def draw(number: int) -> Tensor:
        return gaussian.sample(torch.Generator().manual_seed(derive(seed, GAUSSIAN, number)))

    def predict(batch: Batch) -> Prediction:
        latents = torch.stack([draw(index) for index in batch[INDEX]]).unflatten(1, pipeline.latent_shape)
        return {IMAGE: pipeline.decode(latents.to(pipeline.mean.device))}

    meaning = (
        f"the autoencoder's images of a Gaussian with the full covariance of the latents of {len(gaussian.centred)} "
        f"real images, {100 * gaussian.shrinkage:.3g} % shrunk (Ledoit & Wolf 2004)"
    )
    return Baseline(GAUSSIAN, meaning, predict)
