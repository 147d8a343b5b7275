"""What evaluations are checked by: predictions made by hand, and small networks in the place of large ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from rsforge.recipes.cyclegan.load import load_generator

EVALUATE = "cyclegan evaluate --checkpoint {} --data-dir {} --batch-size 5 --device cpu --resamples 200 "
PREDICTORS = ["model", "copy_sar", "mean_colour"]
"""Those of a checkpoint without stored baselines."""


def predict_pairs(world: Path, model: Path) -> tuple[Tensor, dict[str, Tensor]]:
    """(optical, predictions) of the world, pair by pair."""
    net, _ = load_generator(model, torch.device("cpu"), "sar2optical")
    optical, sar = [], []
    for path in sorted(world.glob("*/s1/*.png")):
        other = path.parents[1] / "s2" / path.name.replace("_s1_", "_s2_")
        sar.append(torch.from_numpy(np.array(Image.open(path))).float()[None] / 127.5 - 1)
        optical.append(torch.from_numpy(np.array(Image.open(other))).float().permute(2, 0, 1) / 127.5 - 1)
    x, y = torch.stack(optical), torch.stack(sar)
    with torch.no_grad():
        translated = torch.cat([net(one[None]) for one in y])
    colour = x.mean((0, 2, 3)).view(1, 3, 1, 1)
    return x, {"model": translated, "copy_sar": y.repeat(1, 3, 1, 1), "mean_colour": colour.expand_as(x)}


class Crumbs(nn.Module):
    """Twelve features of uint8 pictures."""

    def forward(self, pixels: Tensor) -> Tensor:
        assert pixels.dtype == torch.uint8
        return nn.functional.adaptive_avg_pool2d(pixels.float() / 255, 2).flatten(1)
