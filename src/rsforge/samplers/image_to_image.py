"""Starting from an image instead of pure noise. Meng et al. 2022 (arXiv 2108.01073, SDEdit)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rsforge.noise.process import q_sample


def remaining_steps(steps: Sequence[int], strength: float) -> list[int]:
    """The last ``strength`` of the steps: all at 1, none at 0, else at least one.

    ``int(len(steps) * strength)`` of them, as in diffusers. Raises ``ValueError`` outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be 0 to 1, not {strength}")
    count = max(int(len(steps) * strength), strength > 0)
    return list(steps[len(steps) - count :])


def noisy_start(x_0: Tensor, eps: Tensor, alphas_cumprod: Tensor, steps: Sequence[int]) -> Tensor:
    """``x_0`` at the noise level of the first step, where a sampler takes it up; unchanged without steps."""
    return q_sample(x_0, eps, alphas_cumprod[steps[0]]) if steps else x_0
