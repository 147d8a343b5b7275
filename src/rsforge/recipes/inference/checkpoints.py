"""Networks from their checkpoints alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.engine import checkpoint
from rsforge.engine.ema import averaged_weights
from rsforge.models.catalogue import build


@dataclass(frozen=True)
class LoadedModel:
    """A frozen network, what its checkpoint says, and the digest of the weights in use."""

    network: nn.Module
    state: dict[str, Any]
    digest: str


def rebuild(state: dict[str, Any], name: str, path: Path, *, averaged: bool, required: Sequence[str]) -> LoadedModel:
    """The network ``name`` of a checkpoint that says all that is ``required`` of its kind (RSF-C003)."""
    checkpoint.require(state, ("nets", "parts", *required), where=str(path))
    # Of one network, or of each by its name.
    architecture = state["architecture"].get(name, state["architecture"])
    weights: dict[str, Tensor] = dict(state["nets"].get(name, {}))
    if averaged:
        weights |= averaged_weights(state["parts"].get("ema", {}), name)
    with torch.device("meta"):
        # Without memory: a description may ask for any size, its weights are as large as the file.
        checkpoint.check_weights(build(architecture), weights, where=str(path))
    network = build(architecture)
    checkpoint.load_weights(network, weights, where=str(path))
    digest = checkpoint.digest_weights(network.state_dict())
    return LoadedModel(network.eval().requires_grad_(False), state, digest)
