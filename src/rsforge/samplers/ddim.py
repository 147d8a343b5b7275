"""Implicit sampling with a chosen amount of fresh noise. Song et al. 2021 (arXiv 2010.02502)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rsforge.samplers.predict_x0 import Denoise
from rsforge.samplers.timesteps import ignore_progress, step_table


@torch.no_grad()
def ddim(
    denoise: Denoise,
    x_T: Tensor,  # noqa: N803
    alphas_cumprod: Tensor,
    *,
    steps: Sequence[int],
    eta: float = 0.0,
    draw: Callable[[Tensor], Tensor],
    on_step: Callable[[int], None] = ignore_progress,
    final_alpha_bar: float = 1.0,
) -> Tensor:
    """Walk from noise ``x_T`` to x_0, in the dtype of ``x_T``; ``eta`` 0 is deterministic, 1 is DDPM.

    The last step goes to ``final_alpha_bar``; at 1 no noise stays behind. ``steps`` descend strictly; ``draw(like)``
    gives standard normal noise, asked only where it counts; ``on_step`` receives how many steps are done.
    Eq. 12 and 16. Raises ``ValueError`` for unusable ``steps``.
    """
    x_t, walk = x_T, step_table(alphas_cumprod, steps, final_alpha_bar)
    for done, (t, alpha_bar, alpha_bar_next) in enumerate(walk, start=1):
        x_0 = denoise(x_t, t).to(x_t.dtype)
        eps = (x_t - math.sqrt(alpha_bar) * x_0) / math.sqrt(1 - alpha_bar)
        kept, sigma = shares(alpha_bar, alpha_bar_next, eta)
        x_t = math.sqrt(alpha_bar_next) * x_0 + kept * eps
        if sigma > 0:
            x_t = x_t + sigma * draw(x_t)
        on_step(done)
    return x_t


def shares(alpha_bar: float, alpha_bar_next: float, eta: float) -> tuple[float, float]:
    """Amplitudes of the predicted and of the fresh noise in the next state; their squares sum to its noise power.

    Song et al. 2021, Eq. 12 and 16, arranged so that nothing cancels where ``eta`` is 1 and ``alpha_bar`` is 0.
    """
    renewed = eta**2 * (1 - alpha_bar / alpha_bar_next) / (1 - alpha_bar)
    power = 1 - alpha_bar_next
    return math.sqrt(max(0.0, 1 - renewed) * power), math.sqrt(renewed * power)
