"""The critic that judges patches. Isola et al. 2017, section 3.2.2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from rsforge.models.interfaces import describe
from rsforge.models.self_attention import SelfAttention

Norm = Literal["batch", "instance"]
SLOPE = 0.2
SMALLEST = 24
"""Side in pixels below which no logit is left."""

# With weights of its own, and no biases before it, instance norm is batch norm at a batch of one.
_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": partial(nn.InstanceNorm2d, affine=True),
}


def with_norm(layer: nn.Conv2d | nn.ConvTranspose2d, norm: Norm | None) -> nn.Sequential:
    """``layer``, which has no bias where ``norm`` follows it; ``ValueError`` for an unknown ``norm``."""
    if norm and norm not in _NORMS:
        raise ValueError(f"norm {norm!r}; known are {', '.join(_NORMS)}")
    return nn.Sequential(layer, *([_NORMS[norm](layer.out_channels)] if norm else []))


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), those of norms from N(1, 0.02), biases zero. Radford et al. 2016, section 4."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d | nn.InstanceNorm2d):
        normed = isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d)
        nn.init.normal_(module.weight, float(normed), 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PatchCritic(nn.Module):
    """Images ``(B, in_channels, H, W)`` in [-1, 1] to logits, one for each overlapping patch 70 pixels wide.

    256 pixels give 30 × 30 logits; ``ValueError`` for sides under ``SMALLEST``. At base 64 it has 2,766,657 parameters
    for 4 channels. ``attention`` puts self-attention after the third level.
    """

    __call__: Callable[..., Tensor]

    def __init__(self, *, in_channels: int, base: int = 64, norm: Norm = "batch", attention: bool = False) -> None:
        super().__init__()
        self.architecture = describe("patch_critic", locals())
        widths = [base, 2 * base, 4 * base, 8 * base]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, base, 4, 2, 1), nn.LeakyReLU(SLOPE, inplace=True)]
        for (i, o), stride in zip(pairwise(widths), (2, 2, 1), strict=True):
            conv = nn.Conv2d(i, o, 4, stride, 1, bias=False)
            layers += [with_norm(conv, norm), nn.LeakyReLU(SLOPE, inplace=True)]
        if attention:
            layers.insert(6, SelfAttention(widths[2]))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[3], 1, 4, 1, 1))
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < SMALLEST:
            raise ValueError(f"sides of {x.shape[2]} x {x.shape[3]} pixels are under {SMALLEST}")
        logits: Tensor = self.layers(x)
        return logits
