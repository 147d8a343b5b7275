"""The optimizers there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.errors import RsforgeError

Optimizer = torch.optim.Optimizer
MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
"""What torch's Adam and AdamW remember of each parameter."""
NUMBERS = (int, float)


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


def check_available(name: str) -> None:
    """RSF-E006 where the package of the optimizer ``name`` is missing."""
    if name == "adamw-8bit":
        _import_8bit()


def _import_8bit() -> Any:
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise RsforgeError(
            "RSF-E006", "the optimizer adamw-8bit needs the package bitsandbytes", where="--optimizer",
            fix="pip install bitsandbytes, or use --optimizer adamw",
        ) from error  # fmt: skip
    return AdamW8bit


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


def divide_groups(optimizer: Optimizer, factors: Mapping[nn.Parameter, float]) -> list[float]:
    """Let parameters of one group share the factor on their learning rate, 1 unless named; the factor of each group.

    For an optimizer that has taken no step.
    """
    divided: list[tuple[dict[str, Any], float]] = []
    for group in optimizer.param_groups:
        shares: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            shares.setdefault(factors.get(parameter, 1.0), []).append(parameter)
        divided += [({**group, "params": share}, factor) for factor, share in shares.items()]
    optimizer.param_groups[:] = [group for group, _ in divided]
    return [factor for _, factor in divided]


def _adamw(options: OptimizerOptions, groups: Any) -> Optimizer:
    """Decoupled weight decay; Loshchilov & Hutter 2019."""
    return torch.optim.AdamW(groups, **options.common(), fused=options.fused)


def _adam(options: OptimizerOptions, groups: Any) -> Optimizer:
    """Weight decay as an L2 penalty in the gradient; Kingma & Ba 2015."""
    return torch.optim.Adam(groups, **options.common(), fused=options.fused)


def _adamw_8bit(options: OptimizerOptions, groups: Any) -> Optimizer:
    """AdamW with moments of 8 bits; Dettmers et al. 2022."""
    optimizer: Optimizer = _import_8bit()(groups, **options.common())
    return optimizer


OPTIMIZERS: dict[str, Callable[[OptimizerOptions, Any], Optimizer]] = {
    "adamw": _adamw,
    "adam": _adam,
    "adamw-8bit": _adamw_8bit,
}


def check_optimizer(optimizer: Optimizer, *, name: str, where: str) -> None:
    """RSF-C007 unless moments that were loaded have the shapes of their parameters, and options their types."""
    reason = _find_odd_moment(optimizer) or _find_odd_option(optimizer)
    if reason:
        what = f"the saved optimizer of the {name} does not fit this run"
        raise RsforgeError("RSF-C007", what, where=where, found=reason)


def _find_odd_moment(optimizer: Optimizer) -> str:
    if not isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW)):
        return ""
    for parameter, state in optimizer.state.items():
        if state and not state.keys() >= MOMENTS:
            return f"no {', '.join(sorted(MOMENTS - state.keys()))}"
        for key in MOMENTS & state.keys():
            value, shape = state[key], () if key == "step" else parameter.shape
            if not isinstance(value, Tensor) or value.shape != shape:
                return f"{key} of a weight {tuple(parameter.shape)} has another shape"
    return ""


def _find_odd_option(optimizer: Optimizer) -> str:
    for group in optimizer.param_groups:
        for key, default in optimizer.defaults.items():
            value = group.get(key)
            expected = NUMBERS if isinstance(default, NUMBERS) else (tuple, list, bool, type(None))
            if not isinstance(value, expected):
                return f"{key} {str(value)[:60]!r}"
    return ""
