"""Euler steps on the straight path of rectified flow. Liu et al. 2023 (arXiv 2209.03003)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rsforge.noise.process import path_time
from rsforge.samplers.predict_x0 import Denoise
from rsforge.samplers.timesteps import ignore_progress, step_table


@torch.no_grad()
def euler(
    denoise: Denoise,
    x_T: Tensor,  # noqa: N803
    alphas_cumprod: Tensor,
    *,
    steps: Sequence[int],
    draw: Callable[[Tensor], Tensor],
    on_step: Callable[[int], None] = ignore_progress,
    final_alpha_bar: float = 1.0,
) -> Tensor:
    """Walk from noise ``x_T`` to x_0, in the dtype of ``x_T``, along ``z_s = (1 - s) x_0 + s eps``.

    With ``x_t = (a + b) z_s`` it is DDIM with eta 0, whatever the table and whatever the network predicts; see
    :mod:`rsforge.noise.process`. ``draw`` is never asked; ``on_step`` receives how many steps are done;
    ``final_alpha_bar`` is where the last step ends. Raises ``ValueError`` for unusable ``steps``.
    """
    x_t, walk = x_T, step_table(alphas_cumprod, steps, final_alpha_bar)
    for done, (t, alpha_bar, alpha_bar_next) in enumerate(walk, start=1):
        x_0 = denoise(x_t, t).to(x_t.dtype)
        (s, scale), (s_next, scale_next) = path_point(alpha_bar), path_point(alpha_bar_next)
        z = x_t / scale
        velocity = (z - x_0) / s
        x_t = scale_next * (z + (s_next - s) * velocity)
        on_step(done)
    return x_t


def path_point(alpha_bar: float) -> tuple[float, float]:
    """The time on the straight path, and what its state is multiplied by to become ``x_t``."""
    s = float(path_time(torch.tensor(alpha_bar, dtype=torch.float64)))
    return s, math.sqrt(alpha_bar) + math.sqrt(1 - alpha_bar)
