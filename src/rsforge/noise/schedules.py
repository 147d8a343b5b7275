"""Noise schedules as tables in float64: how much of the signal's power is left at each timestep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

Schedule = Literal["linear", "cosine", "scaled_linear", "flow"]


def linear_betas(num_steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> Tensor:
    """Noise variance added by each step, float64 ``(num_steps,)``. Ho et al. 2020, Sec. 4.

    The ends belong to 1000 steps; far fewer steps leave signal at the last one.
    """
    return torch.linspace(start, end, num_steps, dtype=torch.float64)


def scaled_linear_betas(num_steps: int = 1000, start: float = 0.00085, end: float = 0.012) -> Tensor:
    """Betas whose square roots are linear, float64 ``(num_steps,)``. Rombach et al. 2022, as trained."""
    return torch.linspace(math.sqrt(start), math.sqrt(end), num_steps, dtype=torch.float64).square()


def cosine_alphas_cumprod(num_steps: int = 1000, s: float = 0.008, max_beta: float = 0.999) -> Tensor:
    """Cumulative signal power, float64 ``(num_steps,)``. Nichol & Dhariwal 2021, Eq. 17.

    Recomputed from the clipped betas: the curve itself ends at 0 but for rounding.
    """
    edge = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    curve = torch.cos((edge + s) / (1 + s) * math.pi / 2).square()
    betas = (1 - curve[1:] / curve[:-1]).clamp(max=max_beta)
    return torch.cumprod(1 - betas, dim=0)


def flow_alphas_cumprod(num_steps: int = 1000) -> Tensor:
    """The straight path at the times ``s = 1/T … 1``, as signal power of unit variance, float64 ``(num_steps,)``.

    ``(1 - s)^2 / ((1 - s)^2 + s^2)``, exactly 0 at the end. Liu et al. 2023 (arXiv 2209.03003), Eq. 1, on the scale
    of :mod:`rsforge.noise.process`.
    """
    s = torch.arange(1, num_steps + 1, dtype=torch.float64) / num_steps
    signal, noise = (1 - s).square(), s.square()
    return signal / (signal + noise)


def trained_alphas_cumprod(betas: Sequence[float]) -> Tensor:
    """The table of betas that a foreign model was trained with (``trained_betas`` of diffusers), float64.

    Raises ``ValueError`` for fewer than two and for any outside (0, 1).
    """
    table = torch.tensor(betas, dtype=torch.float64)
    if table.ndim != 1 or len(table) < 2 or not ((table > 0) & (table < 1)).all():
        raise ValueError("trained betas must be at least 2 numbers, each above 0 and below 1")
    return torch.cumprod(1 - table, dim=0)


def zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """Shift and scale a table so that it keeps its first value and ends at exactly 0.

    Lin et al. 2023 (arXiv 2305.08891), Alg. 1. With such a table predict ``v`` or ``x_0``: ``eps``
    has no information about x_0 at the last timestep.
    """
    root = alphas_cumprod.sqrt()
    return ((root - root[-1]) / (root[0] - root[-1]) * root[0]).square()


BETA_ENDS = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012)}
"""The first and the last beta of the schedules that have some, where nobody says."""
_BETAS = {"linear": linear_betas, "scaled_linear": scaled_linear_betas}
_TABLES: dict[str, Callable[[int], Tensor]] = {"cosine": cosine_alphas_cumprod, "flow": flow_alphas_cumprod}


def alphas_cumprod(
    kind: Schedule,
    num_steps: int = 1000,
    *,
    zero_terminal: bool = False,
    beta_start: float | None = None,
    beta_end: float | None = None,
) -> Tensor:
    """The table the rest of the process reads, float64 ``(num_steps,)``, strictly falling within [0, 1).

    Where they are given, ``beta_start`` and ``beta_end`` replace the ends of ``linear`` and ``scaled_linear``. Raises
    ``ValueError`` for an unknown ``kind`` or fewer than two steps.
    """
    known = {*_BETAS, *_TABLES}
    if kind not in known:
        raise ValueError(f"unknown noise schedule {kind!r}; known are {', '.join(sorted(known))}")
    if num_steps < 2:
        raise ValueError(f"a noise schedule needs at least 2 steps, not {num_steps}")
    if kind in _TABLES:
        table = _TABLES[kind](num_steps)
    else:
        first, last = BETA_ENDS[kind]
        start, end = first if beta_start is None else beta_start, last if beta_end is None else beta_end
        table = torch.cumprod(1 - _BETAS[kind](num_steps, start, end), dim=0)
    return zero_terminal_snr(table) if zero_terminal else table


def table_of(schedule: Mapping[str, Any]) -> Tensor:
    """The table of a checkpoint's ``schedule``: its ``trained_betas`` where it has some, else its ``kind``.

    ``zero_terminal_snr`` holds for both, ``beta_start`` and ``beta_end`` for the kinds that have them. Raises
    ``ValueError`` as the tables do.
    """
    zero_terminal = bool(schedule.get("zero_terminal_snr", False))
    if betas := schedule.get("trained_betas"):
        table = trained_alphas_cumprod(betas)
        return zero_terminal_snr(table) if zero_terminal else table
    ends = {name: schedule.get(name) for name in ("beta_start", "beta_end")}
    return alphas_cumprod(schedule["kind"], schedule["timesteps"], zero_terminal=zero_terminal, **ends)
