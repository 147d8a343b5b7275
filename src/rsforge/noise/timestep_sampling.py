"""Which timesteps are drawn, in training and to measure a loss over all of them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

TimestepSampling = Literal["uniform", "logit_normal"]


def sample_timesteps(
    kind: TimestepSampling,
    num_train_steps: int,
    count: int,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    shift: float = 1.0,
) -> Tensor:
    """``count`` timesteps within [0, num_train_steps) from the global random state, int64 on the CPU.

    ``logit_normal`` draws path times ``s = sigmoid(mean + std * n)`` with normal ``n``, most often in the middle of
    the straight path, where the velocity is hardest to tell. Esser et al. 2024 (arXiv 2403.03206), Sec. 3.1. A time
    is rounded up to the table's ``(t + 1) / num_train_steps``, so that networks are asked at integer timesteps alone
    and every sampler finds its states in the table. ``shift`` above 1 moves the times towards noise, as
    :func:`shift_times` does. Raises ``ValueError`` for an unknown ``kind``.
    """
    match kind:
        case "uniform" if shift == 1:
            return torch.randint(num_train_steps, (count,))
        case "uniform":
            s = torch.rand(count, dtype=torch.float64)
        case "logit_normal":
            s = torch.sigmoid(mean + std * torch.randn(count, dtype=torch.float64))
        case _:
            raise ValueError(f"unknown timestep sampling {kind!r}; known are uniform, logit_normal")
    return ((shift_times(s, shift) * num_train_steps).ceil().long() - 1).clamp(0, num_train_steps - 1)


def shift_times(s: Tensor, shift: float) -> Tensor:
    """Path times in [0, 1], 1 being noise, with ``s / (1 - s)`` multiplied by ``shift``.

    Esser et al. 2024 (arXiv 2403.03206), Eq. 23.
    """
    return shift * s / (1 + (shift - 1) * s)


def timesteps_of_stratum(num_train_steps: int, stratum: int, strata: int, count: int) -> Tensor:
    """``count`` timesteps from one of ``strata`` equal parts of the table, else as :func:`sample_timesteps` uniform.

    The mean over all strata is that over the table, without the error of how many timesteps fell into which part.
    """
    place = (stratum + torch.rand(count, dtype=torch.float64)) / strata
    return (place * num_train_steps).long().clamp(max=num_train_steps - 1)
