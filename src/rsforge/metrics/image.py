"""How close images are to their originals, and how much of a latent is in use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.compat import ensure_torchvision

WIDTH = 2.0
"""Of the range [-1, 1]."""

LEAST_CHROMA = 1e-5
"""Mean square of a chroma that rounding to 8 bits could make."""

EDGE = 5
"""Pixels from the centre of a window to its side."""

LEAST_SAMPLES = 4  # of each dimension, to tell their correlations


def psnr(x: Tensor, y: Tensor, valid: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB of images ``(B, C, H, W)`` in [-1, 1]: ``(B,)``, inf when equal.

    With ``valid`` ``(B, 1, H, W)`` images are alike where it is False, and only the pixels where it is True count.
    """
    ensure_torchvision()
    from torchmetrics.functional.image import peak_signal_noise_ratio

    ratio: Tensor = peak_signal_noise_ratio(x.float(), y.float(), data_range=WIDTH, reduction="none", dim=(1, 2, 3))
    return ratio if valid is None else ratio + 10 * valid.flatten(1).float().mean(1).log10()


def ssim(x: Tensor, y: Tensor, valid: Tensor | None = None) -> Tensor:
    """Structural similarity of ``(B, C, H, W)`` in [-1, 1], 6 pixels a side or more: ``(B,)`` up to 1.

    Measured in [0, 1], as its luminance term asks for; Gaussian window of 11 pixels, sigma 1.5. The mean is over the
    pixels that have the whole window inside the image, as in the authors' reference; images below 11 pixels have none,
    and are mirrored at their edges. With ``valid`` ``(B, 1, H, W)`` it is over those whose whole window is True, and
    over all that are True where no window is. Wang et al. 2004, Eq. 13.
    """
    local = local_ssim((x.float() + 1) / 2, (y.float() + 1) / 2)
    if valid is not None:
        return _mean_over_windows(local, valid)
    return _take_inside(local).flatten(1).mean(1)


def _take_inside(local: Tensor) -> Tensor:
    """The pixels that have the whole window inside the image, or all where it is too small for one."""
    return local[..., EDGE:-EDGE, EDGE:-EDGE] if min(local.shape[-2:]) > 2 * EDGE else local


def _mean_over_windows(local: Tensor, valid: Tensor) -> Tensor:
    gaps = (~valid).to(local)
    whole = _take_inside(F.max_pool2d(gaps, 2 * EDGE + 1, stride=1, padding=EDGE) == 0)
    inside = whole.where(whole.flatten(1).any(1)[:, None, None, None], _take_inside(valid))
    kept = _take_inside(local).mean(1, keepdim=True) * inside
    return kept.flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)


def local_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The structural similarity around each pixel of ``(B, C, H, W)`` in [0, 1], 6 pixels a side or more: same shape.

    The window of a pixel less than ``EDGE`` pixels from an edge goes on in the mirrored image.
    """
    ensure_torchvision()
    from torchmetrics.functional.image import structural_similarity_index_measure

    found = structural_similarity_index_measure(x, y, data_range=1.0, reduction="none", return_full_image=True)
    local: Tensor = found[1]
    return local


def chroma_share(y: Tensor, x: Tensor) -> Tensor:
    """How much of the chroma of ``x`` is in ``y``, both ``(B, C, H, W)``: ``(B,)``, 1 all of it, 0 for grey.

    The slope of the chroma of ``y``, what its channels deviate from their mean, over that of ``x``; 1 where x is grey.
    """
    wanted, given = ((image.float() - image.float().mean(1, keepdim=True)).flatten(1) for image in (x, y))
    energy = wanted.square().mean(1)
    share = (wanted * given).mean(1) / energy.clamp(min=LEAST_CHROMA)
    return share.where(energy >= LEAST_CHROMA, 1.0)


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """How many dimensions of the posterior means ``(N, d)`` vary over the data by more than ``threshold``.

    The rest have collapsed to the prior. Burda et al. 2016 (arXiv 1509.00519).
    """
    return int((mu.var(dim=0, correction=0) > threshold).sum())


def total_correlation(mu: Tensor) -> float | None:
    """What the dimensions of ``mu`` ``(N, d)`` say of each other in nats, were they normally distributed together.

    Minus half of the logarithm of the determinant of their correlations, 0 for uncorrelated ones; dimensions that do
    not vary are left out. Watanabe 1960 (IBM J. Res. Dev. 4, 66). None for fewer than ``4 d`` samples, of which the
    correlations of a sample alone would say something.
    """
    varying = mu[:, mu.double().std(dim=0, correction=0) > 1e-6].double()
    if len(mu) < LEAST_SAMPLES * mu.shape[1]:
        return None
    if varying.shape[1] < 2:
        return 0.0
    return -0.5 * float(torch.linalg.slogdet(torch.corrcoef(varying.T))[1])
