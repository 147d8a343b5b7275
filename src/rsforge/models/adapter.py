"""Low-rank adapters that are trained beside a frozen network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rsforge.models.interfaces import describe
from rsforge.models.low_rank import LowRankUpdate

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections of every attention in the Hugging Face layout."""
MOST_WIDTH = 1 << 16


class _LowRank(nn.Module):
    """The two matrices of one layer; the second begins at zero, so that nothing is changed at first."""

    def __init__(self, width_in: int, width_out: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, width_in))
        self.up = nn.Parameter(torch.zeros(width_out, rank))
        if not self.down.is_meta:
            nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x.to(self.down.dtype), self.down), self.up)


class Adapter(nn.Module):
    """Low-rank updates of linear ``layers``, ``{name: [width in, width out]}``, all of one ``rank``. Hu et al. 2021.

    It is trained, averaged and saved by itself; :func:`attach_adapter` lets a network compute with it. What it adds is
    multiplied by ``alpha / rank``; ``alpha`` is ``rank`` where it is not given. ``ValueError`` without layers, and
    for a rank, an alpha and widths that are not positive.
    """

    architecture: dict[str, Any]

    def __init__(self, *, layers: Mapping[str, Sequence[int]], rank: int, alpha: float | None = None) -> None:
        architecture = describe("adapter", locals())
        widths = [rank, *(width for pair in layers.values() for width in pair)]
        if not layers or not all(1 <= width <= MOST_WIDTH for width in widths) or (alpha is not None and alpha <= 0):
            what = f"an adapter of rank {rank} and alpha {alpha} for {len(layers)} layers"
            raise ValueError(f"{what}: rank and widths are 1 to {MOST_WIDTH}, alpha is positive")
        super().__init__()
        self.architecture, self.rank, self.alpha = architecture, rank, float(rank if alpha is None else alpha)
        # Modules have no dots in their names.
        self.keys = {name: name.replace(".", "_") for name in layers}
        pairs = {self.keys[name]: (width_in, width_out) for name, (width_in, width_out) in layers.items()}
        self.layers = nn.ModuleDict({key: _LowRank(*pair, rank) for key, pair in pairs.items()})

    def layer(self, name: str) -> nn.Module:
        """The two matrices of the layer ``name`` as a module."""
        return self.layers[self.keys[name]]

    def updates(self) -> dict[str, LowRankUpdate]:
        """What it adds, by the name of the layer; the tensors are its own, which training changes."""
        state = {name: self.layer(name).state_dict() for name in self.keys}
        return {name: LowRankUpdate(own["down"], own["up"], self.alpha) for name, own in state.items()}

    @torch.no_grad()
    def load_updates(self, updates: Mapping[str, LowRankUpdate]) -> None:
        """Take ``updates`` of the same layers and the same rank over; ``ValueError`` for others.

        Their alpha may be another: the adapter then has its own, and adds the same.
        """
        if set(updates) != set(self.keys):
            other = sorted(set(updates) ^ set(self.keys))
            raise ValueError(f"{len(updates)} layers, the adapter has {len(self.keys)}; {other[0]} is not in both")
        for name, update in updates.items():
            own = self.layer(name).state_dict()
            if update.rank != self.rank or not update.fits((len(own["up"]), own["down"].shape[1])):
                shapes = f"{list(update.down.shape)} and {list(update.up.shape)}"
                raise ValueError(f"{name} has the shapes {shapes}, the adapter is of rank {self.rank}")
            own["down"].copy_(update.down.reshape(own["down"].shape))
            own["up"].copy_(update.up.reshape(own["up"].shape) * (update.alpha / self.alpha))


def make_adapter(
    network: nn.Module, *, rank: int, alpha: float | None = None, targets: Sequence[str] = ATTENTION
) -> Adapter:
    """An adapter of the linear layers of ``network`` whose names end with one of ``targets``; it adds nothing at first.

    ``ValueError`` where there is no such layer.
    """
    ends = tuple(f".{target}" for target in targets)
    layers = {
        name: [module.in_features, module.out_features]
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and f".{name}".endswith(ends)
    }
    device = next(network.parameters()).device
    return Adapter(layers=layers, rank=rank, alpha=alpha).to(device)


class Attachment:
    """An adapter that a network computes with, until :meth:`remove`."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Let the network compute as it did before, to the bit."""
        for handle in self._handles:
            handle.remove()


def attach_adapter(network: nn.Module, adapter: Adapter, weight: float = 1.0) -> Attachment:
    """Let ``network`` compute with ``weight`` times what ``adapter`` adds; the parameters of both stay their own.

    ``AttributeError`` where the network lacks a layer of the adapter.
    """
    scale = weight * adapter.alpha / adapter.rank
    pairs = [(network.get_submodule(name), adapter.layer(name)) for name in adapter.keys]
    return Attachment([_add_output(layer, update, scale) for layer, update in pairs])


def _add_output(layer: nn.Module, update: nn.Module, scale: float) -> RemovableHandle:
    def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        changed: Tensor = output + scale * update(inputs[0]).to(output.dtype)
        return changed

    return layer.register_forward_hook(add)
