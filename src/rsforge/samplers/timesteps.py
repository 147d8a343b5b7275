"""Which timesteps a sampler visits, and how much signal is left at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor

from rsforge.noise.process import Prediction

Spacing = Literal["linspace", "trailing", "leading"]
STORED = ("spacing", "steps_offset", "set_alpha_to_one")
"""What a checkpoint's schedule says of a grid."""
SOLVER = "dpm++"


def timesteps(
    num_train_steps: int, num_steps: int, spacing: Spacing = "linspace", *, steps_offset: int = 0
) -> list[int]:
    """The ``num_steps`` timesteps to visit, strictly descending within [0, num_train_steps).

    ``linspace`` visits both ends (the first alone when ``num_steps`` is 1), ``trailing`` the noisy one and
    ``leading`` the clean one, or ``steps_offset`` above it; the other two have no offset. Lin et al. 2023, Table 2.
    Raises ``ValueError`` when the numbers do not fit.
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
            return _leading(num_train_steps, num_steps, steps_offset)
    raise ValueError(f"unknown spacing {spacing!r}; known are linspace, trailing, leading")


def _leading(num_train_steps: int, num_steps: int, steps_offset: int) -> list[int]:
    stride = num_train_steps // num_steps
    room = num_train_steps - 1 - (num_steps - 1) * stride
    if not 0 <= steps_offset <= room:
        raise ValueError(f"steps_offset must be 0 to {room} with {num_steps} leading steps; got {steps_offset}")
    return [i * stride + steps_offset for i in reversed(range(num_steps))]


@dataclass(frozen=True)
class StepGrid:
    """Where a walk goes, but for the number of its steps; a checkpoint stores it as :meth:`as_dict`.

    With ``set_alpha_to_one`` the last step ends at x_0, else at the noise level of timestep 0, as Stable Diffusion's
    own DDIM does. The default is what was always done here. ``solver_drops_last`` is how diffusers lays the steps of
    DPM-Solver++: but for ``trailing`` one more than is asked for, the last of which is left out.
    """

    spacing: Spacing = "linspace"
    steps_offset: int = 0
    set_alpha_to_one: bool = True
    solver_drops_last: bool = False

    def timesteps(self, num_train_steps: int, num_steps: int, sampler: str = "") -> list[int]:
        """The timesteps that ``sampler`` visits; ``ValueError`` when the number does not fit."""
        if self.solver_drops_last and sampler == SOLVER and self.spacing != "trailing" and num_steps < num_train_steps:
            return replace(self, solver_drops_last=False).timesteps(num_train_steps, num_steps + 1)[:-1]
        return timesteps(num_train_steps, num_steps, self.spacing, steps_offset=self.steps_offset)

    def final_alpha_bar(self, alphas_cumprod: Tensor) -> float:
        """The signal's power where the walk ends."""
        return 1.0 if self.set_alpha_to_one else float(alphas_cumprod[0])

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, from which :meth:`stored` makes the same."""
        return {name: getattr(self, name) for name in STORED}

    @classmethod
    def from_schedule(cls, schedule: Mapping[str, Any]) -> StepGrid:
        """The grid of a checkpoint's ``schedule``; former checkpoints say nothing of it and have the default."""
        return cls(**{name: schedule[name] for name in STORED if name in schedule})


def step_table(
    alphas_cumprod: Tensor, steps: Sequence[int], final_alpha_bar: float = 1.0
) -> list[tuple[int, float, float]]:
    """Each step's ``(t, alpha_bar, alpha_bar_next)`` as host numbers; the last ``alpha_bar_next`` is the final one.

    Raises ``ValueError`` unless ``steps`` descend strictly within the table to a level that is not above the final.
    """
    table = alphas_cumprod.tolist()
    inside = bool(steps) and steps[0] < len(table) and steps[-1] >= 0
    if not inside or any(t <= t_next for t, t_next in pairwise(steps)):
        raise ValueError(f"steps must descend strictly within [0, {len(table)}), not {list(steps)}")
    levels = [*(table[t] for t in steps), final_alpha_bar]
    if levels[-2] > final_alpha_bar:
        raise ValueError(f"the final alpha_bar {final_alpha_bar} is below that of the last step, {levels[-2]}")
    return list(zip(steps, levels[:-1], levels[1:], strict=True))


def default_spacing(prediction: Prediction, *, zero_terminal_snr: bool) -> Spacing:
    """``trailing`` for models that learn from pure noise, which their walk must begin with, else ``linspace``.

    Lin et al. 2023, Sec. 3.3. Both visit the last timestep; in few steps ``trailing`` strides evenly from it.
    """
    return "trailing" if zero_terminal_snr or prediction == "flow" else "linspace"


def ignore_progress(done: int) -> None:
    """The ``on_step`` of a caller that shows no progress."""
