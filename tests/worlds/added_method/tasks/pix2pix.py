"""What pix2pix learns: optical images that are near the true ones and that a discriminator takes for them."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsforge.engine.accumulator import MeanOverSamples
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.adversarial import critic_loss, generator_loss

Batch = Mapping[str, Tensor]


class Pix2PixTask:
    """A generator against a discriminator that sees the SAR image too. Isola et al. 2017, Eq. 4."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, *, lambda_l1: float) -> None:
        self.generator, self.discriminator, self.lambda_l1 = generator, discriminator, lambda_l1

    def modules(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {name: list(net.parameters()) for name, net in self.modules().items()}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        sar, optical = batch["sar"], batch["optical"]
        fake = self.generator(sar)
        l1 = F.l1_loss(fake, optical)
        adversarial = generator_loss("bce", self.discriminator(torch.cat([sar, fake], 1)))
        yield Turn("generator", adversarial + self.lambda_l1 * l1, {"l1": l1})
        real = self.discriminator(torch.cat([sar, optical], 1))
        loss = critic_loss("bce", real, self.discriminator(torch.cat([sar, fake.detach()], 1)))
        yield Turn("discriminator", loss, {"discriminator": loss})

    def validation(self) -> MeanOverSamples:
        return MeanOverSamples(self.evaluate)

    def evaluate(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"l1": F.l1_loss(self.generator(batch["sar"]), batch["optical"])}
