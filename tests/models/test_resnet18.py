"""ResNet-18, against torchvision's."""

from __future__ import annotations

import torch

from rsforge.compat import ensure_torchvision
from rsforge.models.resnet18 import MEAN, STD, ResNet18


def test_the_reference_computes_the_same(stirred):
    ensure_torchvision()
    from torchvision.models import resnet18

    theirs, ours = stirred(resnet18(num_classes=5)), ResNet18(5).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        torch.testing.assert_close(ours(x * 2 - 1), theirs((x - mean) / std), atol=1e-4, rtol=1e-4)
