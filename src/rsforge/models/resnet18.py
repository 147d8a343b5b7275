"""ResNet-18, the classifier of many comparisons, in the layout of torchvision. He et al. 2016."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)
CLASSIFIER = ("fc.weight", "fc.bias")
"""The weights of the last layer, which other classes need anew."""
# The mean and the deviation of red, green and blue in [0, 1] that published weights expect.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != width:
            shortcut = nn.Conv2d(before, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """Images ``(B, 3, H, W)`` in [-1, 1] to logits ``(B, classes)``; state-dict names are those of torchvision."""

    __call__: Callable[..., Tensor]

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        before = (WIDTHS[0], *WIDTHS)
        for level, width in enumerate(WIDTHS):
            first = _Block(before[level], width, 2 if level else 1)
            setattr(self, f"layer{level + 1}", nn.Sequential(first, _Block(width, width, 1)))
        self.fc = nn.Linear(WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        mean, std = (torch.tensor(values, device=x.device).view(1, 3, 1, 1) for values in (MEAN, STD))
        h = F.relu(self.bn1(self.conv1(((x + 1) / 2 - mean) / std)))
        h = F.max_pool2d(h, 3, stride=2, padding=1)
        for level in range(len(WIDTHS)):
            h = getattr(self, f"layer{level + 1}")(h)
        y: Tensor = self.fc(h.mean((2, 3)))
        return y
