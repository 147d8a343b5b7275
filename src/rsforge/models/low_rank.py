"""Low-rank updates of weights (LoRA), as adapters of pretrained models store them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LowRankUpdate:
    """``alpha / rank · up · down``, what is added to the weight of a layer. Hu et al. 2021, section 4.1.

    ``down`` is ``(rank, in, ...)``, with the kernel of a convolution behind, and ``up`` ``(out, rank, ...)``.
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether it changes a weight of this ``shape``; a 1×1 convolution and a matrix hold the same numbers."""
        if min(self.down.ndim, self.up.ndim) < 2 or self.up.flatten(1).shape[1] != self.rank:
            return False
        return (self.up.shape[0], *_without_ones(self.down.shape[1:])) == (shape[0], *_without_ones(shape[1:]))

    def compute(self, shape: Sequence[int]) -> Tensor:
        """The change of a weight of this ``shape``, in single precision."""
        product = self.up.float().flatten(1) @ self.down.float().flatten(1)
        return (self.alpha / self.rank * product).reshape(tuple(shape))


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[:1]) if set(shape[1:]) <= {1} else tuple(shape)


@torch.no_grad()
def merge_updates(network: nn.Module, updates: Mapping[str, LowRankUpdate], weight: float = 1.0) -> None:
    """Add ``weight`` times the updates to the weights of the layers of ``network`` that they are named after.

    The weights change in place; the sum is computed in single precision. ``KeyError`` for a layer that is not there.
    """
    parameters = dict(network.named_parameters())
    for name, update in updates.items():
        parameter = parameters[f"{name}.weight"]
        change = weight * update.compute(parameter.shape).to(parameter.device)
        parameter.copy_(parameter.float() + change)
