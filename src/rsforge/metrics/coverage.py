"""How many of the images that one input may truly have, the draws of a model come near.

A true image is covered if it is the nearest of all true images to at least one draw, and the distance of such a draw is
below half of the mean distance between true images. A single image thus covers one at most, and one that lies between
them, as their mean does, covers none.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEAR = 0.5
"""Of the mean distance between true images."""


def l1_distances(x: Tensor, y: Tensor) -> Tensor:
    """The mean absolute difference of each of ``x`` ``(K, ...)`` from each of ``y`` ``(M, ...)``: ``(K, M)``."""
    rows = [(one - y).abs().flatten(1).mean(1) for one in x]
    return torch.stack(rows)


def rms_distances(x: Tensor, y: Tensor) -> Tensor:
    """The root of the mean squared difference of ``x`` ``(K, d)`` from ``y`` ``(M, d)``: ``(K, M)``."""
    squares: Tensor = (x[:, None] - y[None]).square().mean(2)
    return squares.sqrt()


def place_among(images: Tensor, truths: Tensor) -> Tensor:
    """Where ``images`` ``(K, ...)`` lie among the true images ``(M, ...)``: coordinates ``(K, d)``, d below M.

    They are those of the projection on the space that the differences of true images span, so that what all true
    images have in common, and with it every error that looks like none of these differences, does not count. Distances
    between true images are those between the images but for one factor; ``d`` is 0 where all are equal.
    """
    centre = truths.double().flatten(1).mean(0)
    _, values, directions = torch.linalg.svd(truths.double().flatten(1) - centre, full_matrices=False)
    basis = directions[values > 1e-6 * values.max().clamp(min=1e-12)]
    places: Tensor = (images.double().flatten(1) - centre) @ basis.T
    return places


def mean_separation(between: Tensor) -> float:
    """The mean distance of two different true images, of all their distances ``(M, M)``."""
    count = len(between)
    return float(between.sum() / (count * (count - 1)))


def find_covered(distances: Tensor, between: Tensor) -> Tensor:
    """Which true images are covered: ``(M,)`` of bool.

    ``distances`` ``(K, M)`` are those of draws from true images, ``between`` ``(M, M)`` those between true images.
    """
    nearest, which = distances.min(1)
    near = which[nearest < NEAR * mean_separation(between)]
    return torch.isin(torch.arange(len(between), device=distances.device), near)
