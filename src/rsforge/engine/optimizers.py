"""The optimizers there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from rsforge.errors import RsforgeError

Optimizer = torch.optim.Optimizer


@dataclass(frozen=True, slots=True)
class OptimizerOptions:
    """What an optimizer is made with; ``decay_all`` off spares norms and biases the weight decay."""

    name: str = "adamw"
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decay_all: bool = True
    fused: bool = True

    def common(self) -> dict[str, Any]:
        """What all optimizers take, under torch's names."""
        return {"lr": self.learning_rate, "betas": self.betas, "eps": self.eps, "weight_decay": self.weight_decay}


def build(options: OptimizerOptions, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """The optimizer that ``options.name`` names; RSF-E006 where its package is missing."""
    return OPTIMIZERS[options.name](options, _groups(options, parameters))


def _groups(options: OptimizerOptions, parameters: Sequence[nn.Parameter]) -> Any:
    """All parameters, or two groups: those of two or more dimensions decay, norms and biases do not."""
    if options.decay_all:
        return list(parameters)
    weights = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _adamw(options: OptimizerOptions, groups: Any) -> Optimizer:
    """Decoupled weight decay; Loshchilov & Hutter 2019."""
    return torch.optim.AdamW(groups, **options.common(), fused=options.fused)


def _adam(options: OptimizerOptions, groups: Any) -> Optimizer:
    """Weight decay as an L2 penalty in the gradient; Kingma & Ba 2015."""
    return torch.optim.Adam(groups, **options.common(), fused=options.fused)


def _adamw_8bit(options: OptimizerOptions, groups: Any) -> Optimizer:
    """AdamW with moments of 8 bits; Dettmers et al. 2022."""
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise RsforgeError(
            "RSF-E006", "the optimizer adamw-8bit needs the package bitsandbytes", where="--optimizer",
            fix="pip install bitsandbytes, or use --optimizer adamw",
        ) from error  # fmt: skip
    optimizer: Optimizer = AdamW8bit(groups, **options.common())
    return optimizer


OPTIMIZERS: dict[str, Callable[[OptimizerOptions, Any], Optimizer]] = {
    "adamw": _adamw,
    "adam": _adam,
    "adamw-8bit": _adamw_8bit,
}
