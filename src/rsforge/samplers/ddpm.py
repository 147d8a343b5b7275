"""Ancestral sampling. Ho et al. 2020."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rsforge.samplers.predict_x0 import Denoise
from rsforge.samplers.timesteps import ignore_progress, step_table


def posterior(x_0: Tensor, x_t: Tensor, alpha_bar: float, alpha_bar_next: float) -> tuple[Tensor, float]:
    """Mean and standard deviation of the next, cleaner state given x_0 and x_t. Ho et al. 2020, Eq. 6 and 7.

    ``alpha_bar_next`` may lie any number of timesteps ahead; their product acts as one step's alpha.
    """
    alpha = alpha_bar / alpha_bar_next
    share = (1 - alpha_bar_next) / (1 - alpha_bar)
    mean = math.sqrt(alpha_bar_next) * (1 - alpha) / (1 - alpha_bar) * x_0 + math.sqrt(alpha) * share * x_t
    return mean, math.sqrt(share * (1 - alpha))


@torch.no_grad()
def ddpm(
    denoise: Denoise,
    x_T: Tensor,  # noqa: N803
    alphas_cumprod: Tensor,
    *,
    steps: Sequence[int],
    draw: Callable[[Tensor], Tensor],
    on_step: Callable[[int], None] = ignore_progress,
    final_alpha_bar: float = 1.0,
) -> Tensor:
    """Walk from noise ``x_T`` to x_0 with the posterior variance ("fixed small"), in the dtype of ``x_T``.

    ``steps`` descend strictly, all timesteps or some; ``draw(like)`` gives standard normal noise and is not
    asked at a last step to ``final_alpha_bar`` 1; ``on_step`` receives how many steps are done. Ho et al. 2020,
    Alg. 2. Raises ``ValueError`` for unusable ``steps``.
    """
    x_t, walk = x_T, step_table(alphas_cumprod, steps, final_alpha_bar)
    for done, (t, alpha_bar, alpha_bar_next) in enumerate(walk, start=1):
        x_t, sigma = posterior(denoise(x_t, t).to(x_t.dtype), x_t, alpha_bar, alpha_bar_next)
        if sigma > 0:
            x_t = x_t + sigma * draw(x_t)
        on_step(done)
    return x_t
