"""Samplers by name, and which of them a model is drawn by when nobody says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from rsforge.noise.process import Prediction
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.dpm_solver import dpm_solver
from rsforge.samplers.euler import euler
from rsforge.samplers.predict_x0 import Denoise
from rsforge.samplers.timesteps import ignore_progress


class Sampler(Protocol):
    """A walk from ``x_T``, the state at ``steps[0]``, to ``final_alpha_bar``; with 1 that is x_0."""

    def __call__(
        self,
        denoise: Denoise,
        x_T: Tensor,  # noqa: N803
        alphas_cumprod: Tensor,
        *,
        steps: Sequence[int],
        draw: Callable[[Tensor], Tensor],
        on_step: Callable[[int], None] = ignore_progress,
        final_alpha_bar: float = 1.0,
    ) -> Tensor: ...


FLOW_STEPS = 4
FEW_STEPS = {"ddim": 50, "dpm++": 20, "euler": 50}
SAMPLERS: dict[str, Sampler] = {"ddpm": ddpm, "ddim": ddim, "dpm++": dpm_solver, "euler": euler}


def default_sampler(prediction: Prediction, *, all_steps: bool) -> str:
    """Euler on the path of ``flow``; else DDPM over all steps, or DDIM over a chosen number of them."""
    if prediction == "flow":
        return "euler"
    return "ddpm" if all_steps else "ddim"


def default_num_steps(sampler: str, prediction: Prediction, num_train_steps: int) -> int:
    """Steps of a walk that nobody counted, at most ``num_train_steps``: every one for DDPM, four for ``flow``.

    Paths of ``flow`` are nearly straight where inputs determine the image; without inputs more steps give more
    variety, 20 to 50.
    """
    if sampler == "ddpm":
        return num_train_steps
    few = FLOW_STEPS if prediction == "flow" else FEW_STEPS[sampler]
    return min(few, num_train_steps)
