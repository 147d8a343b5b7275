"""A network that is exported, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim


class NetworkInput(NamedTuple):
    """One input ``(B, *shape)``, in whose shape None stands for the height and the width of images, in this order.

    It is float32; with ``below`` it holds whole numbers, int64, from 0 to less than that.
    """

    name: str
    shape: tuple[int | None, ...]
    below: int = 0

    def draw(self, batch: int, sides: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Random values, those of float32 in [-1, 1]."""
        left = iter(sides)
        shape = (batch, *(next(left) if size is None else size for size in self.shape))
        if self.below:
            return torch.randint(self.below, shape, generator=generator)
        return torch.rand(shape, generator=generator) * 2 - 1

    def free_dimensions(self, batch: Any, factor: int, *, any_size: bool) -> dict[int, Any]:
        """The dimensions that a program leaves open; sides, if they are, for multiples of ``factor``."""
        free, names = {0: batch}, iter(("rows", "cols"))
        places = [place for place, size in enumerate(self.shape, 1) if size is None]
        return free | {place: factor * Dim(next(names), min=1) for place in places if any_size}


@dataclass(frozen=True)
class ExportedNetwork:
    """A frozen network on the CPU; of its ``inputs`` at most the first holds images.

    ``size`` is the height and width of those of the training; other sizes are multiples of ``factor``. ``output`` is
    the name of the result in the files, ``card`` the metadata of their headers.
    """

    network: nn.Module
    inputs: tuple[NetworkInput, ...]
    output: str
    size: int
    factor: int
    card: Mapping[str, str]

    @property
    def bytes_of_weights(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.network.state_dict().values())

    @property
    def has_sides(self) -> bool:
        """Whether it takes images."""
        return None in self.inputs[0].shape

    def draw_inputs(self, batch: int, sides: tuple[int, int], generator: torch.Generator) -> tuple[Tensor, ...]:
        """Random values for every input."""
        return tuple(one.draw(batch, sides, generator) for one in self.inputs)
