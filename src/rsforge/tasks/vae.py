"""What an autoencoder learns: to give images back through a latent that carries little more than it must."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Literal

from torch import Tensor, nn

from rsforge.engine.task import Turn
from rsforge.losses.elbo import (
    beta_at,
    capacity_penalty,
    free_bits,
    kl_to_standard_normal,
    negative_elbo,
    sample_latent,
)
from rsforge.losses.perceptual import no_perceptual
from rsforge.models.interfaces import Autoencoder

KlMode = Literal["capacity", "free_bits"]


class VaeTask:
    """Reconstruction by mean squared error and a perceptual distance, plus the KL held at its target.

    ``perceptual(x, y)`` is a scalar. ``kl_target`` nats (0 is off) are kept by a capacity penalty or as free
    bits, with a weight that rises over ``kl_warmup`` epochs.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        *,
        kl_weight: float,
        kl_warmup: int = 0,
        kl_target: float = 0.0,
        kl_mode: KlMode = "capacity",
        perceptual: Callable[[Tensor, Tensor], Tensor] = no_perceptual,
        perceptual_weight: float = 0.0,
    ) -> None:
        self.autoencoder, self.perceptual, self.perceptual_weight = autoencoder, perceptual, perceptual_weight
        self.kl_weight, self.kl_warmup = kl_weight, kl_warmup
        self.kl_target, self.kl_mode = kl_target, kl_mode
        self.beta = kl_weight

    def modules(self) -> Mapping[str, nn.Module]:
        return {"autoencoder": self.autoencoder}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"autoencoder": list(self.autoencoder.parameters())}

    def open_epoch(self, epoch: int) -> None:
        self.beta = beta_at(epoch, self.kl_weight, self.kl_warmup)

    def step(self, batch: Tensor, slot: int = 0) -> Generator[Turn]:
        mu, logvar = self.autoencoder.encode(batch)
        restored = self.autoencoder.decode(sample_latent(mu, logvar)).float()
        mse = (restored - batch).square().mean()
        seen = self.perceptual(restored, batch)
        recon = mse + self.perceptual_weight * seen
        kl = kl_to_standard_normal(mu, logvar)
        report = {"recon": recon, "mse": mse, "kl": kl.mean(), "perceptual": seen, "beta": mse.new_tensor(self.beta)}
        yield Turn("autoencoder", recon + self._penalty(mu, logvar, kl, recon.detach()), report)

    def _penalty(self, mu: Tensor, logvar: Tensor, kl: Tensor, recon: Tensor) -> Tensor:
        # With a target, a nat weighs as its share of the target, of the reconstruction as it stands. At a fixed
        # weight the KL, a sum in nats, would drown a mean over pixels: its gradient takes all that clipping leaves.
        weight = self.beta * recon / self.kl_target if self.kl_target else self.beta
        if self.kl_mode == "free_bits" and self.kl_target:
            return weight * free_bits(mu, logvar, self.kl_target)
        return capacity_penalty(kl, weight, self.kl_target)

    def evaluate(self, batch: Tensor) -> Mapping[str, Tensor]:
        """``neg_elbo`` in nats per dimension, whatever the weights; ``mse``; ``kl`` in nats per image."""
        mu, logvar = self.autoencoder.encode(batch)
        restored = self.autoencoder.decode(sample_latent(mu, logvar)).float()
        mse, kl = (restored - batch).square().flatten(1).mean(1), kl_to_standard_normal(mu, logvar)
        bound = negative_elbo(mse, kl, batch[0].numel())
        return {"neg_elbo": bound.mean(), "mse": mse.mean(), "kl": kl.mean()}
