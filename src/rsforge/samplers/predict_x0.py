"""From what a network predicts to the clean image: the one place where samplers meet parametrisations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rsforge.noise.process import Prediction, to_x_0

Denoise = Callable[[Tensor, int], Tensor]
"""From ``(x_t, t)`` to the expected x_0, of the shape of x_t."""
LEAST_SIGNAL = 3e-5  # just below the end of the linear schedule, which can still be walked


def x0_denoiser(
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
