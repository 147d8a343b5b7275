"""What a generator and its critic want of each other: pure functions of the critic's logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

GanLoss = Literal["bce", "lsgan", "wgan-gp", "hinge"]


def generator_loss(kind: GanLoss, fake: Tensor) -> Tensor:
    """How little the critic's logits ``fake`` are fooled, a scalar; half precision is widened to float32."""
    fake = _wide(fake)
    if kind == "bce":  # Goodfellow et al. 2014, the non-saturating form
        return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    if kind == "lsgan":  # Mao et al. 2017, twice Eq. 9
        return (fake - 1).square().mean()
    return -fake.mean()  # Arjovsky et al. 2017; Lim & Ye 2017


def critic_loss(kind: GanLoss, real: Tensor, fake: Tensor) -> Tensor:
    """How badly the critic tells ``real`` logits from ``fake`` ones, a scalar; half precision is widened to float32.

    The mean of both halves, but for ``wgan-gp``: their sum, without its gradient penalty.
    """
    real, fake = _wide(real), _wide(fake)
    if kind == "bce":
        bce = F.binary_cross_entropy_with_logits
        return (bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))) / 2
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    if kind == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
    return fake.mean() - real.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """``(|grad| - 1)^2`` at a random point between each of ``real`` ``(B, C, H, W)`` and ``fake``, a scalar.

    In float32 even under autocast; the critic must not mix samples. Gulrajani et al. 2017, Eq. 3.
    """
    with torch.autocast(real.device.type, enabled=False):
        real, fake = _wide(real), _wide(fake)
        mix = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty: Tensor = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return penalty


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
