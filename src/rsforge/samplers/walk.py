"""What every sampler shares: which timesteps to visit, and the one door from a network to x_0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from rsforge.noise.process import Prediction, to_x_0

Denoise = Callable[[Tensor, int], Tensor]
"""From ``(x_t, t)`` to the expected x_0, of the shape of x_t."""
LEAST_SIGNAL = 3e-5  # just below the end of the linear schedule, which can still be walked
Spacing = Literal["linspace", "trailing", "leading"]


def timesteps(num_train_steps: int, num_steps: int, spacing: Spacing = "linspace") -> list[int]:
    """The ``num_steps`` timesteps to visit, strictly descending within [0, num_train_steps).

    ``linspace`` visits both ends (the first alone when ``num_steps`` is 1), ``trailing`` the noisy one and
    ``leading`` the clean one. Lin et al. 2023, Table 2. Raises ``ValueError`` when the number does not fit.
    """
    if not 1 <= num_steps <= num_train_steps:
        raise ValueError(f"sampling steps must be 1 to {num_train_steps}, the training steps; got {num_steps}")
    match spacing:
        case "linspace":
            stride = (num_train_steps - 1) / max(1, num_steps - 1)
            return [num_train_steps - 1, *(round(i * stride) for i in reversed(range(num_steps - 1)))]
        case "trailing":
            # Ties round as NumPy's arange has them, so that the numbers are those of diffusers.
            stride = num_train_steps - (num_train_steps - num_train_steps / num_steps)
            return [round(num_train_steps - i * stride) - 1 for i in range(num_steps)]
        case "leading":
            return [i * (num_train_steps // num_steps) for i in reversed(range(num_steps))]
    raise ValueError(f"unknown spacing {spacing!r}; known are linspace, trailing, leading")


def stages(alphas_cumprod: Tensor, steps: Sequence[int]) -> list[tuple[int, float, float]]:
    """Each step's ``(t, alpha_bar, alpha_bar_next)`` as host numbers; the last ``alpha_bar_next`` is 1.

    Raises ``ValueError`` unless ``steps`` descend strictly within the table.
    """
    table = alphas_cumprod.tolist()
    inside = bool(steps) and steps[0] < len(table) and steps[-1] >= 0
    if not inside or any(t <= t_next for t, t_next in pairwise(steps)):
        raise ValueError(f"steps must descend strictly within [0, {len(table)}), not {list(steps)}")
    return list(zip(steps, [table[t] for t in steps], [*(table[t] for t in steps[1:]), 1.0], strict=True))


def denoiser(
    network: Callable[[Tensor, Tensor], Tensor],
    alphas_cumprod: Tensor,
    prediction: Prediction,
    clip: float | None = None,
) -> Denoise:
    """Make ``network(x_t, t (B,)) -> output`` a denoiser of unit-variance x_0; ``clip`` bounds x_0 to ±clip.

    Where the signal's share falls below ``LEAST_SIGNAL``, x_0 is the linear guess whatever ``eps`` says. Raises
    ``ValueError`` where the network predicts ``eps`` and the table reaches 0: no x_0 can be had there.
    """
    table = alphas_cumprod.double().cpu()
    if prediction == "eps" and not table.min() > 0:
        raise ValueError("eps-prediction cannot start from zero terminal SNR; predict v or x_0")

    def denoise(x_t: Tensor, t: int) -> Tensor:
        output = network(x_t, torch.full((len(x_t),), t, dtype=torch.long, device=x_t.device))
        if prediction == "eps" and table[t] < LEAST_SIGNAL:
            # Dividing by the root of so little would make a thousandfold of the network's smallest error.
            x_0 = table[t].sqrt() * x_t
        else:
            x_0 = to_x_0(prediction, output.to(x_t.dtype), x_t, table[t])
        return x_0 if clip is None else x_0.clamp(-clip, clip)

    return denoise


def nothing(done: int) -> None:
    """The listener that does not care."""
