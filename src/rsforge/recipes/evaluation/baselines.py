"""What predictors without a network know: fitted on the training subset, stored in the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.data.images.gaps import stack_valid
from rsforge.data.io.threads import map_in_threads
from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.constant_images import constant_images, fill_with_mean, mean_colour, mean_image, median_image
from rsforge.metrics.pca import fit_patch_pca, fit_pca
from rsforge.recipes.evaluation.linear_sar import NAME, fit_linear_sar, linear_bytes

KEY = "baselines"
"""Where a checkpoint holds what ``fit_baselines`` returns."""
MOST_IMAGES = 2048
_MOST_BYTES, _MOST_PCA_BYTES = 1 << 28, 1 << 27

Fitted = dict[str, Any]


def fit_baselines(
    samples: IndexedDataset,
    *,
    image_of: Callable[[Any], Tensor] = lambda item: item,
    latent_shape: Sequence[int] | None = None,
    sar_of: Callable[[Any], Tensor] | None = None,
    mirrored: bool = False,
) -> Fitted:
    """The constant images of training ``samples`` as they are, and what methods compare themselves with beside them.

    That is for autoencoders their principal components, and for pairs a linear model of SAR statistics.

    ``image_of`` takes an item to its image ``(C, S, S)`` in [-1, 1], kept in 8 bits while fitting, and ``sar_of`` to
    the SAR image of its pair. ``latent_shape`` is that of the autoencoder: components as many as its vector has
    numbers, or of the patches that its map has cells for, as many as it has channels. With ``mirrored``
    those of whole images are of their mirrored views too. Pixels without data do not count: components see the mean
    image there. At most ``MOST_IMAGES`` evenly spread images are used, fewer
    of more than 128 KiB; the same samples give the same numbers.

    Plain numbers, strings and tensors: ``images`` used ``of`` so many, ``mean_image`` and ``median_image``
    ``(C, S, S)``, ``mean_colour`` ``(C,)``, and ``pca`` with its ``mean``, ``components`` and ``patch`` (0 for whole
    images), or why there is none, and ``linear_sar`` as ``fit_linear_sar`` gives it.
    """
    images, valid = _evenly_spread(samples, image_of)
    fitted: Fitted = {"images": len(images), "of": len(samples)}
    if valid is None:
        constant = mean_image(images), median_image(images), mean_colour(images)
    else:
        constant, images = constant_images(images, valid), fill_with_mean(images, valid)
    fitted |= dict(zip(("mean_image", "median_image", "mean_colour"), constant, strict=True))
    if latent_shape is not None:
        fitted["pca"] = _fit_components(images, tuple(latent_shape), mirrored=mirrored)
    if sar_of is not None:
        fitted[NAME] = fit_linear_sar(samples, sar_of=sar_of, image_of=image_of)
    return fitted


def fitted_bytes(
    image_shape: Sequence[int], latent_shape: Sequence[int] | None = None, *, sar_channels: int = 0
) -> int:
    """The most bytes that ``fit_baselines`` returns for images ``(C, S, S)``: components of images take 2 a number."""
    channels, size = image_shape[0], image_shape[-1]
    constant = 2 * 4 * channels * size**2
    if latent_shape is None:
        return constant + (linear_bytes(sar_channels, channels) if sar_channels else 0)
    if len(latent_shape) > 1:
        return constant + 4 * (1 + latent_shape[0]) * channels * (size // latent_shape[-1]) ** 2
    components = 2 * latent_shape[0] * channels * size**2
    variances = 4 * latent_shape[0]
    return constant + (0 if components > _MOST_PCA_BYTES else constant // 2 + components + variances)


def _evenly_spread(samples: IndexedDataset, image_of: Callable[[Any], Tensor]) -> tuple[Tensor, Tensor | None]:
    """uint8 images ``(N, C, H, W)``, as many as the bounds allow, and where they hold data; None for everywhere."""
    total, first = len(samples), image_of(samples[0, 0])
    count = min(total, MOST_IMAGES, max(1, _MOST_BYTES // first.numel()))
    images = torch.empty(count, *first.shape, dtype=torch.uint8)
    chosen = [k * total // count for k in range(count)]
    for k, item in enumerate(map_in_threads(lambda index: samples[0, index], chosen)):
        images[k] = ((image_of(item) + 1) * 127.5).round().clamp(0, 255)
    return images, stack_valid(samples, chosen)


def _fit_components(images: Tensor, latent_shape: tuple[int, ...], *, mirrored: bool) -> Fitted:
    if len(latent_shape) > 1:
        patch = images.shape[-1] // latent_shape[-1]
        return {"patch": patch, **fit_patch_pca(images, patch, latent_shape[0])}
    needed = 2 * latent_shape[0] * images[0].numel()
    if needed > _MOST_PCA_BYTES:
        return {"absent": f"{latent_shape[0]} components of such images would take {needed >> 20} MiB"}
    if mirrored:
        images = images[:: -(-2 * len(images) // MOST_IMAGES)]
        images = torch.cat([images, images.flip(-1)])
    return {"patch": 0, **fit_pca(images, latent_shape[0])}
