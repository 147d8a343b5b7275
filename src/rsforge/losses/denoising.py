"""The loss of a denoiser."""

from __future__ import annotations

import torch
from torch import Tensor


def weighted_mse(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Squared error, mean over all axes but the first and times ``weight`` ``(B,)``: ``(B, …)`` to ``(B,)``.

    Half precision is widened to float32. Ho et al. 2020, Eq. 14, weighted as in Hang et al. 2023.
    """
    wide = torch.promote_types(output.dtype, torch.float32)
    error = (output.to(wide) - target.to(wide)).square().flatten(1).mean(1)
    return error if weight is None else error * weight.to(error)
