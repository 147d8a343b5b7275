"""Gradient checkpointing: activations that are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Recomputable(nn.Module):
    """A part of a network that keeps its inputs alone for the backward pass where ``checkpointing`` is on."""

    checkpointing = False

    def recompute(self, function: Callable[..., Tensor], *inputs: Any) -> Tensor:
        """``function(*inputs)``, run a second time for its gradient. Nothing in it may be random."""
        if not (self.checkpointing and torch.is_grad_enabled()):
            return function(*inputs)
        y: Tensor = checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
        return y


def use_checkpointing(network: nn.Module, on: bool = True) -> None:
    """Recompute every block of ``network`` in the backward pass: less memory, about a third more time."""
    for module in network.modules():
        if isinstance(module, Recomputable):
            module.checkpointing = on
