"""Which timesteps are drawn, in training and to measure a loss over all of them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

TimestepSampling = Literal["uniform", "logit_normal"]


def sample_timesteps(
    kind: TimestepSampling, num_train_steps: int, count: int, *, mean: float = 0.0, std: float = 1.0
) -> Tensor:
    """``count`` timesteps within [0, num_train_steps) from the global random state, int64 on the CPU.

    ``logit_normal`` draws path times ``s = sigmoid(mean + std * n)`` with normal ``n``, most often in the middle of
    the straight path, where the velocity is hardest to tell. Esser et al. 2024 (arXiv 2403.03206), Sec. 3.1. A time
    is rounded up to the table's ``(t + 1) / num_train_steps``, so that networks are asked at integer timesteps alone
    and every sampler finds its states in the table. Raises ``ValueError`` for an unknown ``kind``.
    """
    match kind:
        case "uniform":
            return torch.randint(num_train_steps, (count,))
        case "logit_normal":
            s = torch.sigmoid(mean + std * torch.randn(count, dtype=torch.float64))
            return ((s * num_train_steps).ceil().long() - 1).clamp(0, num_train_steps - 1)
    raise ValueError(f"unknown timestep sampling {kind!r}; known are uniform, logit_normal")


def timesteps_of_stratum(num_train_steps: int, stratum: int, strata: int, count: int) -> Tensor:
    """``count`` timesteps from one of ``strata`` equal parts of the table, else as :func:`sample_timesteps` uniform.

    The mean over all strata is that over the table, without the error of how many timesteps fell into which part.
    """
    place = (stratum + torch.rand(count, dtype=torch.float64)) / strata
    return (place * num_train_steps).long().clamp(max=num_train_steps - 1)
