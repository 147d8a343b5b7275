"""A translator that starts from a linear model of local SAR statistics, and learns what that leaves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rsforge.models.image_level import ImageLevel, count_shown, show_level
from rsforge.models.interfaces import Translator, describe
from rsforge.models.local_statistics import FEATURES, local_statistics
from rsforge.models.patch_gan import Norm
from rsforge.models.pix2pix import DEEPEST, Pix2PixUNet

MOST_DEVIATIONS = 5.0
"""Statistics enter the network as deviations from their mean, no larger than this many standard deviations."""


class LinearStatistics(nn.Module):
    """A linear model of the local statistics of images, which is fitted and not trained.

    Images ``(B, in_channels, H, W)`` to their standardised statistics ``(B, 23 * in_channels, H, W)`` and to what the
    model makes of them, ``(B, out_channels, H, W)``. No gradient reaches the images.
    """

    mean: Tensor
    scale: Tensor
    coefficients: Tensor
    intercept: Tensor

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        count = in_channels * len(FEATURES)
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))
        self.register_buffer("coefficients", torch.zeros(count, out_channels))
        self.register_buffer("intercept", torch.zeros(out_channels))

    def take(self, fitted: Mapping[str, Tensor]) -> None:
        """Become the model of :func:`rsforge.metrics.least_absolute.fit_least_absolute`."""
        for name, buffer in self.named_buffers():
            buffer.copy_(fitted[name])

    @torch.no_grad()
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # The derivative of a deviation is infinite where an image is flat, so that none is taken.
        statistics = local_statistics(x.detach().float())
        standard = (statistics - self.mean[:, None, None]) / self.scale[:, None, None]
        # Products and sums, which mixed precision leaves in float32: a matrix product would be rounded.
        made = [(standard * weights[:, None, None]).sum(1) for weights in self.coefficients.T]
        return standard, torch.stack(made, 1) + self.intercept[:, None, None]


class StatisticsUNet(Translator):
    """Images to what a linear model of their local statistics gives, plus what a U-Net adds to it.

    As :class:`rsforge.models.pix2pix.Pix2PixUNet`, which here sees the statistics beside the image and whose last layer
    begins at zero: an untrained network gives what the linear model gives. In [-1, 1] when it evaluates; while it is
    trained the sum may leave that range. ``level`` says what the linear model and
    the network see of every image.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        depth: int = DEEPEST,
        base: int = 64,
        norm: Norm = "instance",
        attention: bool = False,
        level: ImageLevel = "keep",
    ) -> None:
        super().__init__()
        self.architecture = describe("statistics_unet", locals())
        self.level = level
        self.in_channels, self.out_channels = in_channels, out_channels
        shown = count_shown(in_channels, level)
        self.linear = LinearStatistics(shown, out_channels)
        seen = shown * (1 + len(FEATURES))
        self.network = Pix2PixUNet(
            in_channels=seen, out_channels=out_channels, depth=depth, base=base, norm=norm, attention=attention
        )
        self.factor = self.network.factor
        nn.init.zeros_(self.network.to_image.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = show_level(x, self.level)
        statistics, made = self.linear(x)
        shown = statistics.clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS).to(x.dtype)
        image: Tensor = made + self.network(torch.cat([x, shown], 1))
        return image if self.training else image.clamp(-1, 1)
