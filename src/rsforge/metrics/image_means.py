"""Figures of predicted spectra that are means over images, as SSPSR and MST++ take them, from sums of single images.

Beside them stand those of ``metrics.spectral_sums``, which weigh every valid pixel alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rsforge.metrics.spectral_sums import F64, Sums, derive_figures

NAMES = ("mpsnr_db", "mean_psnr_db", "mean_sam_deg", "mean_rmse", "mean_mrae", "mean_ergas", "cc")
RATIOS = ("mpsnr_db", "mean_psnr_db")
"""Figures of a peak, which is added where it is known."""


def measure_image(output: Tensor, target: Tensor, valid: Tensor, sums: Mapping[str, F64], *, scale: float) -> Sums:
    """The figures of an image ``(B, H, W)`` by name, and under ``images_NAME`` whether it can have one, 1 or 0.

    ``sums`` are those that ``measure_sums`` gives of the image, and ``scale`` is how much finer its pixels are than the
    input's. Over the pixels of ``valid`` ``(H, W)``: ``mpsnr_db`` is the mean over bands of the PSNR of each and
    ``mean_psnr_db`` the PSNR of all, both for a peak of 1; ``mean_sam_deg``, ``mean_rmse`` and ``mean_ergas`` are the
    figures of those sums; ``mean_mrae`` is relative to the value itself; ``cc`` is the mean correlation of the bands
    whose target is not constant, 0 of a constant output. Jiang et al. 2020 (SSPSR) and Cai et al. 2022 (MST++), by
    their programs, of which the first leaves pixels of zeros in the output out of the angle. Of an image that can have
    a figure it is NaN where it is not finite: where the output is not, of a PSNR where a band has no error, of
    ``mean_mrae`` where a value is 0.
    """
    whole = derive_figures(sums, gain=np.ones(1), scale=scale)
    relative, correlations = _compare_bands(output, target, valid)
    with np.errstate(divide="ignore", invalid="ignore"):
        bands = -10 * np.log10(sums["square"] / sums["pixels"])
    figures = {
        "mpsnr_db": bands.mean(),
        "mean_psnr_db": whole["psnr_db"],
        "mean_sam_deg": whole["sam_deg"],
        "mean_rmse": whole["rmse"],
        "mean_mrae": relative.mean(),
        "mean_ergas": whole["ergas"],
        "cc": correlations.mean() if len(correlations) else 0.0,
    }
    counted = dict.fromkeys(NAMES, sums["pixels"] > 0) | {
        "mean_sam_deg": sums["angle_pixels"] > 0,
        "mean_ergas": (sums["target"] != 0).any(),
        "cc": len(correlations) > 0,
    }
    # NaN, since resampling would multiply what is infinite by 0.
    finite = {name: value if np.isfinite(value) else np.nan for name, value in figures.items()}
    found = {name: np.asarray(value if counted[name] else 0.0, float) for name, value in finite.items()}
    return found | {f"images_{name}": np.asarray(float(there)) for name, there in counted.items()}


def _compare_bands(output: Tensor, target: Tensor, valid: Tensor) -> tuple[F64, F64]:
    """The mean relative error of each band, and the correlation of each whose target varies."""
    relative, correlations = [], []
    for x, y in zip(output, target, strict=True):
        x, y = x[valid].double(), y[valid].double()
        relative.append(float(((x - y).abs() / y.abs()).where(y != 0, torch.inf).mean()))
        if y.numel() and bool((y != y[0]).any()):
            x, y = x - x.mean(), y - y.mean()
            lengths = x.norm() * y.norm()
            correlations.append(float((x * y).sum() / lengths.where(lengths != 0, 1.0)))
    return np.array(relative), np.array(correlations)


def derive_means(sums: Mapping[str, F64], *, peak: float) -> dict[str, F64]:
    """The means ``(...)`` over the images of sums, of ratios for the largest value ``peak``; NaN of no image."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = {name: sums[name] / sums[f"images_{name}"] for name in NAMES}
        return means | {name: means[name] + 20 * np.log10(peak) for name in RATIOS}
