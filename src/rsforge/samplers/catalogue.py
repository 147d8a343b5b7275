"""Samplers by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

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


SAMPLERS: dict[str, Sampler] = {"ddpm": ddpm, "ddim": ddim, "dpm++": dpm_solver, "euler": euler}
