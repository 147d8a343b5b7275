"""Denoising whose images are looked at too: by a network's features, and by a critic that learns beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.engine.task import StepContext, Turn
from rsforge.losses.adversarial import critic_loss, generator_loss
from rsforge.losses.perceptual import no_perceptual
from rsforge.noise.process import broadcast, to_x_0
from rsforge.tasks.denoising_figures import DenoisingFigures
from rsforge.tasks.diffusion import DiffusionTask, Noisy

Batch = Mapping[str, Any]
LEAST_SIGNAL = 0.1
"""Share of the signal's power below which an estimate of x_0 is too far from an image to be looked at."""


@dataclass(frozen=True)
class ImageWeights:
    """Of the terms on decoded images, beside the squared error with weight ``mse``."""

    mse: float = 1.0
    perceptual: float = 0.0
    adversarial: float = 0.0

    @property
    def any_image(self) -> bool:
        return self.perceptual > 0 or self.adversarial > 0


class RefinedDiffusionTask:
    """``base`` with further terms on ``decode(x_0)`` of the estimate that its answer implies.

    ``decode(latents)`` takes standardised latents and is frozen; its images ``(B, 3, H, W)`` are in [-1, 1]. The target
    is the decoded true latent, so that stored latents will do. Images count by their share of signal ``alpha_bar``, and
    not at all below ``LEAST_SIGNAL``. With ``critic`` there is a second turn, in which it learns to tell the two apart
    (hinge loss; Lim & Ye 2017). Rombach et al. 2022, section 3.1, use these terms in their autoencoder.
    """

    def __init__(
        self,
        base: DiffusionTask,
        decode: Callable[[Tensor], Tensor],
        *,
        weights: ImageWeights,
        critic: nn.Module | None = None,
        perceptual: Callable[[Tensor, Tensor], Tensor] = no_perceptual,
    ) -> None:
        if (critic is None) != (weights.adversarial == 0):
            raise ValueError("a critic is needed where adversarial has a weight, and nowhere else")
        self.base, self.decode, self.weights = base, decode, weights
        self.critic, self.perceptual = critic, perceptual

    def modules(self) -> Mapping[str, nn.Module]:
        critic = {} if self.critic is None else {"critic": self.critic}
        return {**self.base.modules(), **critic}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        critic = {} if self.critic is None else {"critic": list(self.critic.parameters())}
        return {**self.base.groups(), **critic}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        noisy, output = self.base.answer(batch)
        mse = self.base.loss(noisy, output)
        terms, weights = {"mse": mse}, self.weights
        fake, real = self._images(noisy, output)
        if weights.perceptual:
            terms["perceptual"] = self.perceptual(fake, real)
        if self.critic is not None:
            terms["adversarial"] = generator_loss("hinge", self.critic(fake))
        loss = sum((getattr(weights, name) * term for name, term in terms.items()), mse.new_zeros(()))
        yield Turn("denoiser", loss, {f"loss_{name}": term for name, term in terms.items()})
        if self.critic is not None:
            judged = critic_loss("hinge", self.critic(real), self.critic(fake.detach()))
            yield Turn("critic", judged, {"loss_critic": judged})

    def _images(self, noisy: Noisy, output: Tensor) -> tuple[Tensor, Tensor]:
        """The decoded estimate and truth; where too little signal was left the truth stands on both sides.

        Every sample keeps its place, so that shapes do not depend on what was drawn; the estimate is blended into the
        truth by its share of signal, which scales its gradient by that share.
        """
        table = noisy.alpha_bar.clamp_min(1e-8)
        estimate = to_x_0(self.base.prediction, output.float(), noisy.x_t.float(), table)
        share = broadcast(torch.where(table < LEAST_SIGNAL, 0.0, table), noisy.x_0).to(noisy.x_0)
        shown = noisy.x_0 + share * (estimate - noisy.x_0)
        with torch.no_grad():
            real = self.decode(noisy.x_0)
        return self.decode(shown), real

    def validation(self) -> DenoisingFigures:
        return self.base.validation()
