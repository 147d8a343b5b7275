"""Convolutions that hand numbers through a normalisation and an activation as they are.

A group of channels that holds ``z``, ``-z``, ``C`` and ``-C`` has the mean 0 and a deviation that hardly depends on
``z``, and ``silu(z) - silu(-z) = z``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONSTANT = 1000.0
"""Against numbers near 1 the normalisation then errs by less than a millionth."""


@dataclass(frozen=True)
class Pairs:
    """Where ``count`` numbers, their negatives and the constants lie among the channels before a normalisation."""

    channels: int
    groups: int
    count: int

    @property
    def width(self) -> int:
        return self.channels // self.groups

    @property
    def held(self) -> int:
        """How many numbers a group has room for."""
        return max(0, (self.width - 2) // 2)

    def check_room(self) -> None:
        """``ValueError`` where the numbers do not fit; by arithmetic alone, which no device of tensors slows down."""
        if self.held * self.groups < self.count:
            raise ValueError(
                f"{self.channels} channels in {self.groups} groups hold {self.held * self.groups} numbers of a "
                f"linear code, which has {self.count}"
            )

    def places(self) -> tuple[Tensor, Tensor]:
        """The channels of the numbers and those of their negatives; ``ValueError`` where there is no room."""
        self.check_room()
        index = torch.arange(self.count)
        first = index // max(1, self.held) * self.width + index % max(1, self.held)
        return first, first + self.held

    def constants(self) -> Tensor:
        """One of either sign in every group ``(channels,)``."""
        values = torch.zeros(self.groups, self.width)
        values[:, -2], values[:, -1] = CONSTANT, -CONSTANT
        return values.flatten()


def clear(layer: nn.Conv2d) -> None:
    """Let a layer give zeros."""
    for parameter in layer.parameters():
        parameter.zero_()


def write_kernel(layer: nn.Conv2d, weight: Tensor, bias: Tensor | None = None) -> None:
    """Put a kernel into the first channels of a layer, whose others become zero; ``ValueError`` where it has fewer."""
    into, out_of = min(weight.shape[1], layer.in_channels), min(weight.shape[0], layer.out_channels)
    if weight[out_of:].any() or weight[:, into:].any():
        raise ValueError(f"{layer.out_channels} channels are too few for a linear code of {len(weight)} numbers")
    clear(layer)
    layer.weight[:out_of, :into] = weight[:out_of, :into]
    if bias is not None:
        assert layer.bias is not None
        layer.bias[: len(bias)] = bias


def act_on_pixels(matrix: Tensor) -> Tensor:
    """A 3 x 3 kernel that applies a matrix to each pixel."""
    return F.pad(matrix[:, :, None, None], (1, 1, 1, 1))


def fold_pixels(channels: int) -> Tensor:
    """A 3 x 3 kernel of stride 2 that keeps all four pixels, in the order of ``torch.pixel_unshuffle``."""
    kernel = torch.zeros(channels, 2, 2, channels, 3, 3)
    for row in range(2):
        for column in range(2):
            kernel[:, row, column, :, row, column] = torch.eye(channels)
    return kernel.flatten(0, 2)


def order_of_pixels(colours: int, factor: int) -> Tensor:
    """Of the numbers of a patch folded by twos again and again, the places in ``torch.pixel_unshuffle(factor)``."""
    places = F.pixel_shuffle(torch.arange(float(colours * factor**2)).view(1, -1, 1, 1), factor)
    while factor > 1:
        places, factor = F.pixel_unshuffle(places, 2), factor // 2
    return places.flatten().long()


def double(layer: nn.Conv2d, pairs: Pairs) -> None:
    """Let a layer give its first numbers, and their negatives, at the places of ``pairs``."""
    assert layer.bias is not None
    weight, bias = layer.weight[: pairs.count].clone(), layer.bias[: pairs.count].clone()
    clear(layer)
    for places, sign in zip(pairs.places(), (1, -1), strict=True):
        layer.weight[places], layer.bias[places] = sign * weight, sign * bias


def read_pairs(norm: nn.GroupNorm, layer: nn.Conv2d, pairs: Pairs, kernel: Tensor, bias: Tensor) -> None:
    """Let a normalisation and the convolution behind it apply ``kernel`` to the numbers of ``pairs``."""
    # The constants go no further: behind them the least step of training would change all that is made.
    norm.weight.copy_(CONSTANT * (2 / pairs.width) ** 0.5 * (pairs.constants() == 0))
    norm.bias.zero_()
    weight = torch.zeros(len(kernel), pairs.channels, 3, 3)
    for places, sign in zip(pairs.places(), (1, -1), strict=True):
        weight[:, places] = sign * kernel
    write_kernel(layer, weight, bias)
