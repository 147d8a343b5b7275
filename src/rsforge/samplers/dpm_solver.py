"""A second-order multistep solver of the sampling ODE. Lu et al. 2022 (arXiv 2211.01095), DPM-Solver++(2M)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rsforge.samplers.predict_x0 import Denoise
from rsforge.samplers.timesteps import ignore_progress, step_table

FEW_STEPS = 15  # with fewer, the last step is of first order: extrapolation over long steps overshoots


@torch.no_grad()
def dpm_solver(
    denoise: Denoise,
    x_T: Tensor,  # noqa: N803
    alphas_cumprod: Tensor,
    *,
    steps: Sequence[int],
    draw: Callable[[Tensor], Tensor],
    on_step: Callable[[int], None] = ignore_progress,
    final_alpha_bar: float = 1.0,
) -> Tensor:
    """Walk from noise ``x_T`` to x_0, in the dtype of ``x_T``; 15 to 25 steps come near the ODE's solution.

    Alg. 2 (midpoint), of first order at the first step, at a last one that ends without noise, and at the last of
    fewer than 15. ``draw`` is never asked; ``on_step`` receives how many steps are done. Raises ``ValueError`` for
    unusable ``steps``.
    """
    x_t, walk = x_T, step_table(alphas_cumprod, steps, final_alpha_bar)
    x_0_before, h_before = x_T, math.inf
    for done, (t, alpha_bar, alpha_bar_next) in enumerate(walk, start=1):
        x_0 = denoise(x_t, t).to(x_t.dtype)
        h = half_log_snr(alpha_bar_next) - half_log_snr(alpha_bar)
        ahead = x_0
        if done > 1 and not (done == len(walk) and (alpha_bar_next == 1 or len(walk) < FEW_STEPS)):
            # The line through the last two x_0, read in the middle of the step. From pure noise h_before is infinite.
            ahead = x_0 + h / (2 * h_before) * (x_0 - x_0_before)
        shrink = math.sqrt((1 - alpha_bar_next) / (1 - alpha_bar))
        x_t = shrink * x_t + (math.sqrt(alpha_bar_next) - shrink * math.sqrt(alpha_bar)) * ahead
        x_0_before, h_before = x_0, h
        on_step(done)
    return x_t


def half_log_snr(alpha_bar: float) -> float:
    """The solver's time, ``log(a / b)``: minus infinite for pure noise, infinite without noise."""
    if alpha_bar == 0:
        return -math.inf
    if alpha_bar == 1:
        return math.inf
    return 0.5 * (math.log(alpha_bar) - math.log1p(-alpha_bar))
