"""Principal components: the best linear code of images in a given count of numbers. Jolliffe 2002, section 3.5."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.metrics.constant_images import exact_mean, to_unit

_COLUMNS = 4096
_ROUNDING = 1e-12
"""Mean square of a component, over numbers in [-1, 1], that rounding alone may leave."""


def fit_pca(images: Tensor, components: int) -> dict[str, Tensor]:
    """The mean and the leading components of whole images, uint8 ``(N, C, H, W)``.

    ``mean`` is float32 ``(C, H, W)``, ``components`` orthonormal float16 ``(k, C, H, W)`` with k up to ``components``,
    ``variances`` float32 ``(k,)`` those of the images along them:
    fewer where the images vary in fewer directions, at most N - 1. Memory and time grow with N squared, not with the
    number of pixels squared: the components follow from inner products of images.
    """
    mean, columns = exact_mean(images), images.flatten(1)
    flat = mean.flatten()
    parts = [slice(k, k + _COLUMNS) for k in range(0, columns.shape[1], _COLUMNS)]
    products = torch.zeros(len(images), len(images), dtype=torch.float64)
    for part in parts:
        centred = to_unit(columns[:, part]) - flat[part]
        products += centred @ centred.T
    variances, vectors = _leading(products, components, columns.numel())
    scaled = vectors / variances.sqrt()
    rows = [scaled.T @ (to_unit(columns[:, part]) - flat[part]) for part in parts]
    found = torch.cat(rows, 1).half().view(-1, *mean.shape)
    return {"mean": mean.float(), "components": found, "variances": (variances / len(images)).float()}


def fit_patch_pca(images: Tensor, patch: int, components: int) -> dict[str, Tensor]:
    """The mean and the leading components of the patches that images ``(N, C, H, W)``, in grey levels, are made of.

    Patches are ``patch`` x ``patch`` pixels and do not overlap. ``mean`` is float32 ``(C * patch**2,)``,
    ``components`` float32 ``(k, C * patch**2)``, in the order of channels of ``torch.pixel_unshuffle``.
    """
    width = images.shape[1] * patch**2
    total = torch.zeros(width, dtype=torch.float64)
    products, count = torch.zeros(width, width, dtype=torch.float64), 0
    for part in images.split(32):
        rows = to_unit(F.pixel_unshuffle(part, patch).movedim(1, 0).flatten(1))
        total, products, count = total + rows.sum(1), products + rows @ rows.T, count + rows.shape[1]
    mean = total / count
    _, vectors = _leading(products - count * mean.outer(mean), components, images.numel())
    return {"mean": mean.float(), "components": vectors.T.float().contiguous()}


def _leading(products: Tensor, count: int, numbers: int) -> tuple[Tensor, Tensor]:
    """Up to ``count`` largest eigenvalues ``(k,)`` of sums over so many ``numbers``, and their vectors ``(n, k)``."""
    values, vectors = torch.linalg.eigh(products)
    kept = values > _ROUNDING * numbers
    kept[: max(0, len(values) - count)] = False
    return values[kept].flip(0), vectors[:, kept].flip(1)


def reconstruct(images: Tensor, mean: Tensor, components: Tensor) -> Tensor:
    """Float images ``(B, C, H, W)`` through as many numbers as there are ``components``, clamped to [-1, 1]."""
    rows, centre = components.float().flatten(1), mean.flatten()
    codes = (images.flatten(1) - centre) @ rows.T
    return (codes @ rows + centre).clamp(-1, 1).view_as(images)


def reconstruct_patches(images: Tensor, patch: int, mean: Tensor, components: Tensor) -> Tensor:
    """Float images ``(B, C, H, W)`` through a map of k numbers a patch, clamped to [-1, 1]."""
    rows, centre = components.float(), mean.view(-1, 1, 1)
    codes = torch.einsum("kc,bchw->bkhw", rows, F.pixel_unshuffle(images, patch) - centre)
    return F.pixel_shuffle(torch.einsum("kc,bkhw->bchw", rows, codes) + centre, patch).clamp(-1, 1)
