"""Networks from their checkpoints alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rsforge.engine import checkpoint
from rsforge.engine.ema import averaged_weights
from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build


@dataclass(frozen=True)
class LoadedModel:
    """A frozen network, what its checkpoint says, and the digest of the weights in use."""

    network: nn.Module
    state: dict[str, Any]
    digest: str


def rebuild(state: dict[str, Any], name: str, path: Path, *, averaged: bool, required: Sequence[str]) -> LoadedModel:
    """The network ``name`` of a checkpoint that says all that is ``required`` of its kind (RSF-C003)."""
    missing = [key for key in ("nets", "parts", *required) if key not in state]
    if missing:
        raise RsforgeError("RSF-C003", "the checkpoint does not describe a model", where=str(path),
                           found=f"no {', '.join(missing)}")  # fmt: skip
    architecture = state["architecture"]
    # Of one network, or of each by its name.
    network = build(architecture.get(name, architecture))
    weights: dict[str, Tensor] = dict(state["nets"].get(name, {}))
    if averaged:
        weights |= averaged_weights(state["parts"].get("ema", {}), name)
    checkpoint.load_weights(network, weights, where=str(path))
    digest = checkpoint.digest_weights(network.state_dict())
    return LoadedModel(network.eval().requires_grad_(False), state, digest)
