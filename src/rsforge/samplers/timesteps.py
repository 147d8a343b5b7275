"""Which timesteps a sampler visits, and how much signal is left at each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor

from rsforge.noise.process import Prediction

FLOW_STEPS = 4
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


def step_table(alphas_cumprod: Tensor, steps: Sequence[int]) -> list[tuple[int, float, float]]:
    """Each step's ``(t, alpha_bar, alpha_bar_next)`` as host numbers; the last ``alpha_bar_next`` is 1.

    Raises ``ValueError`` unless ``steps`` descend strictly within the table.
    """
    table = alphas_cumprod.tolist()
    inside = bool(steps) and steps[0] < len(table) and steps[-1] >= 0
    if not inside or any(t <= t_next for t, t_next in pairwise(steps)):
        raise ValueError(f"steps must descend strictly within [0, {len(table)}), not {list(steps)}")
    return list(zip(steps, [table[t] for t in steps], [*(table[t] for t in steps[1:]), 1.0], strict=True))


def default_num_steps(prediction: Prediction, num_train_steps: int) -> int:
    """Steps of a walk that nobody counted: four along the straight path of ``flow``, else every timestep."""
    return min(FLOW_STEPS, num_train_steps) if prediction == "flow" else num_train_steps


def ignore_progress(done: int) -> None:
    """The ``on_step`` of a caller that shows no progress."""
