"""What an autoencoder learns: to give images back through a latent that carries little more than it must."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from rsforge.engine.accumulator import COUNTED, MeanOverSamples
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.elbo import (
    beta_at,
    capacity_penalty,
    free_bits,
    kl_to_standard_normal,
    negative_elbo,
    sample_latent,
)
from rsforge.losses.gaps import find_gaps
from rsforge.losses.perceptual import no_perceptual
from rsforge.metrics.chroma import stretch_chroma
from rsforge.models.interfaces import Autoencoder

Batch = Mapping[str, Tensor]
KlMode = Literal["capacity", "free_bits"]


class VaeTask:
    """Reconstruction by mean squared error and a perceptual distance, plus the KL held at its target.

    A batch holds ``images`` ``(B, C, H, W)`` in [-1, 1] and, where some pixels hold no data, ``valid``
    ``(B, 1, H, W)``: those count as restored without error. ``perceptual(x, y)`` is a scalar. ``kl_target`` nats (0 is
    off) are kept by a capacity penalty or as free bits, with a weight that rises over ``kl_warmup`` epochs. With
    ``kl_per_pixel`` that weight is divided by the numbers of an image, over which the reconstruction is a mean. In
    what is trained, though not in the figures, squared errors of chroma count ``chroma_weight`` times.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        *,
        kl_weight: float,
        kl_warmup: int = 0,
        kl_target: float = 0.0,
        kl_mode: KlMode = "capacity",
        kl_per_pixel: bool = False,
        perceptual: Callable[[Tensor, Tensor], Tensor] = no_perceptual,
        perceptual_weight: float = 0.0,
        chroma_weight: float = 1.0,
    ) -> None:
        self.autoencoder, self.perceptual, self.perceptual_weight = autoencoder, perceptual, perceptual_weight
        self.kl_weight, self.kl_warmup = kl_weight, kl_warmup
        self.kl_target, self.kl_mode = kl_target, kl_mode
        self.kl_per_pixel, self.chroma_weight = kl_per_pixel, chroma_weight

    def modules(self) -> Mapping[str, nn.Module]:
        return {"autoencoder": self.autoencoder}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"autoencoder": list(self.autoencoder.parameters())}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        images = batch["images"]
        mu, logvar = self.autoencoder.encode(images)
        restored = find_gaps(batch).fill(self.autoencoder.decode(sample_latent(mu, logvar)).float(), images)
        error = restored - images
        mse = error.square().mean()
        distance = self.perceptual(restored, images)
        recon = stretch_chroma(error, self.chroma_weight).square().mean() + self.perceptual_weight * distance
        kl = kl_to_standard_normal(mu, logvar)
        beta = beta_at(context.epoch, self.kl_weight, self.kl_warmup) / (images[0].numel() if self.kl_per_pixel else 1)
        report = {"recon": recon, "mse": mse, "kl": kl.mean(), "perceptual": distance}
        report["beta"] = torch.full_like(mse, beta)  # filled on the device: a copy from the host would wait for it
        yield Turn("autoencoder", recon + self._penalty(mu, logvar, kl, recon.detach(), beta), report)

    def _penalty(self, mu: Tensor, logvar: Tensor, kl: Tensor, recon: Tensor, beta: float) -> Tensor:
        # With a target, a nat weighs as its share of the target, of the reconstruction as it stands. At a fixed
        # weight the KL, a sum in nats, would drown a mean over pixels: its gradient takes all that clipping leaves.
        weight = beta * recon / self.kl_target if self.kl_target else beta
        if self.kl_mode == "free_bits" and self.kl_target:
            return weight * free_bits(mu, logvar, self.kl_target)
        return capacity_penalty(kl, weight, self.kl_target)

    def validation(self) -> MeanOverSamples:
        return MeanOverSamples(self.evaluate)

    def evaluate(self, batch: Batch) -> Mapping[str, Tensor]:
        """``neg_elbo`` in nats per dimension, whatever the weights; ``mse``; ``kl`` in nats per image.

        Pixels without data are no dimensions, and images count by their pixels with data.
        """
        images, gaps = batch["images"], find_gaps(batch)
        mu, logvar = self.autoencoder.encode(images)
        restored = gaps.fill(self.autoencoder.decode(sample_latent(mu, logvar)).float(), images)
        mse, kl = (restored - images).square().flatten(1).mean(1), kl_to_standard_normal(mu, logvar)
        mse = gaps.over_valid_of_each(mse)
        bound = negative_elbo(mse, gaps.over_valid_of_each(kl), images[0].numel())
        means = {"neg_elbo": bound, "mse": mse, "kl": kl}
        return gaps.name_share(COUNTED) | {name: gaps.average(values) for name, values in means.items()}
