"""Sums over the valid pixels of an image, from which the figures of any set of images follow exactly.

A mean of the figures of images would weigh an image of few valid pixels as one of many. Sums of several images are
added instead, and the figures derived from the total.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.metrics.image import EDGE, local_ssim
from rsforge.metrics.spectral import LEAST_SHARE, rmse_per_band, sam_rad

F64 = npt.NDArray[np.float64]
Sums = dict[str, F64]
"""Numbers ``(...)``, of bands ``(..., B)`` under ``square`` and ``target``, by name."""

STRIP = 1 << 14
"""Pixels that are measured at once: hundreds of bands in float64 take much memory."""
BANDS_AT_ONCE = 16


def measure_sums(output: Tensor, target: Tensor, valid: Tensor, *, gain: Tensor, offset: Tensor) -> Sums:
    """The sums of an image ``(B, H, W)`` beside its target; ``valid`` ``(H, W)`` is True where a pixel counts.

    ``pixels`` and ``angle_pixels`` count the valid ones and those of them whose target is not zero everywhere.
    ``angle`` sums spectral angles in radians, ``square`` ``(B,)`` squared errors, ``target`` ``(B,)`` the target.
    ``relative`` sums the means over bands of the relative absolute error, whose least denominator is ``LEAST_SHARE`` of
    the image's mean magnitude, as of ``metrics.spectral.mrae``, over ``relative_pixels``, none in an image of zeros.
    ``similarity`` sums the mean over bands of the structural similarity in each of the ``windows``, 11 x 11 pixels that
    are all valid, of values times ``gain`` plus ``offset`` (1 or B), which reach from 0 to 1.
    """
    sums: Sums = {name: np.zeros(()) for name in ("pixels", "angle_pixels", "angle", "relative", "relative_pixels")}
    sums |= {name: np.zeros(len(target)) for name in ("square", "target")}
    least = LEAST_SHARE * _mean_magnitude(target, valid)
    rows = max(1, STRIP // target.shape[-1])
    for start in range(0, target.shape[1], rows):
        part = slice(start, start + rows)
        for name, value in _measure_strip(output[:, part], target[:, part], valid[part], least).items():
            sums[name] = sums[name] + value
    return sums | _measure_similarity(output, target, valid, gain, offset)


def _mean_magnitude(target: Tensor, valid: Tensor) -> float:
    total = sum(float(band.abs().double()[valid].sum()) for band in target)
    return total / max(int(valid.sum()) * len(target), 1)


def _measure_strip(output: Tensor, target: Tensor, valid: Tensor, least: float) -> Sums:
    pixels = float(valid.sum())
    if not pixels:
        return {}
    x, y = (torch.where(valid, image, 0.0).double() for image in (output, target))
    directed = float((torch.linalg.vector_norm(y, dim=0) > 0).sum())
    angle = float(sam_rad(x[None], y[None], valid[None, None])) * directed if directed else 0.0
    square = rmse_per_band(x[None], y[None], valid[None, None])[0].square() * pixels
    found = {"pixels": pixels, "angle_pixels": directed, "angle": angle}
    if least:  # of an image of zeros no error is relative
        relative = ((x - y).abs() / y.abs().clamp(min=least)).mean(0)[valid].sum()
        found |= {"relative": float(relative), "relative_pixels": pixels}
    return {name: np.array(value) for name, value in found.items()} | {
        "square": square.numpy(),
        "target": y.sum((1, 2)).numpy(),
    }


def _measure_similarity(output: Tensor, target: Tensor, valid: Tensor, gain: Tensor, offset: Tensor) -> Sums:
    total, windows = 0.0, torch.zeros(0)
    if min(valid.shape) > 2 * EDGE:
        side = 2 * EDGE + 1
        windows = F.max_pool2d((~valid)[None].float(), side, stride=1)[0] == 0
        for start in range(0, len(target), BANDS_AT_ONCE):
            part = slice(start, start + BANDS_AT_ONCE)
            scale = [values.expand(len(target))[part, None, None] for values in (gain, offset)]
            x, y = (torch.where(valid, image[part] * scale[0] + scale[1], 0.0)[None] for image in (output, target))
            local = local_ssim(x.float(), y.float())[0, :, EDGE:-EDGE, EDGE:-EDGE]
            total += float(local[:, windows].double().sum()) / len(target)
    return {"similarity": np.array(total), "windows": np.array(float(windows.sum()))}


def measure_response(
    output: Tensor, valid: Tensor, measured: Tensor, response: Tensor, grid: tuple[Tensor, Tensor] | None
) -> Sums:
    """``response_square`` and ``response_pixels``: of an image ``(B, H, W)`` seen through the response of a sensor.

    ``response (K, B)`` integrates a spectrum, and ``measured (K, h, w)`` is what the sensor measured, NaN where it did
    not. ``grid`` are the area weights ``(h, H)`` and ``(w, W)`` of its pixels, None where they are those of the image;
    only such count whose whole area is ``valid (H, W)``.
    """
    whole = torch.where(valid, output, 0.0)
    seen = torch.stack([torch.tensordot(response.double(), row.double(), 1) for row in whole.unbind(1)], 1)
    counted = valid.double()
    if grid is not None:
        rows, cols = (weights.double() for weights in grid)
        seen, counted = rows @ seen @ cols.T, rows @ counted @ cols.T
    known = (counted > 1 - 1e-6) & measured.isfinite().all(0)
    square = (seen - measured.double()).square().mean(0)[known].sum()
    return {"response_square": square.numpy(), "response_pixels": known.sum().double().numpy()}


def derive_figures(sums: Mapping[str, F64], *, gain: F64, scale: float) -> dict[str, F64]:
    """The figures ``(...)`` of what was summed; not a number where nothing counts.

    ``sam_deg``, ``rmse`` and ``mrae`` are those of ``metrics.spectral``, over all pixels together; ``psnr_db`` is that
    of values times ``gain`` (1 or B), whose peak is 1; ``ssim`` the mean similarity over windows and bands; ``ergas``
    in percent, of pixels ``scale`` times finer than the input's. ``response_rmse`` is there where it was summed.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_square = sums["square"] / sums["pixels"][..., None]
        mean = sums["target"] / sums["pixels"][..., None]
        bright = mean != 0
        relative = np.where(bright, mean_square / np.where(bright, mean, 1) ** 2, 0)
        figures = {
            "sam_deg": np.rad2deg(sums["angle"] / sums["angle_pixels"]),
            "rmse": np.sqrt(mean_square.mean(-1)),
            "psnr_db": -10 * np.log10((mean_square * gain**2).mean(-1)),
            "ssim": sums["similarity"] / sums["windows"],
            "ergas": 100 / scale * np.sqrt(relative.sum(-1) / bright.sum(-1)),
            "mrae": sums["relative"] / sums["relative_pixels"],
        }
        if "response_square" in sums:
            figures["response_rmse"] = np.sqrt(sums["response_square"] / sums["response_pixels"])
    return figures


def derive_rmse_per_band(sums: Mapping[str, F64]) -> F64:
    """Root mean square errors ``(..., B)``, in the unit of the images."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(sums["square"] / sums["pixels"][..., None])
