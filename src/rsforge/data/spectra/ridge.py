"""Ridge regression of spectra on Landsat, pixel by pixel: fitted on sums that one pass collects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsforge.data.cubes.cube import F32, F64
from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError

STRENGTHS = tuple(10.0**k for k in range(-8, 1))
DEFAULT_STRENGTH = 1e-6
_ROWS = 1 << 13  # pixels converted to float64 at once
_DEAD = 1e-12


class Moments:
    """Sums of pixels and of their products, in float64 about a fixed origin; a ``PixelMeasure``.

    The origin is the mean of the first patch: sums about 0 would lose digits where values are far from it.
    """

    def __init__(self) -> None:
        self.count = 0
        self._origin: tuple[F64, F64] | None = None
        self._sums: list[F64] = []

    def add(self, name: str, landsat: F32, spectra: F32) -> None:
        if not len(landsat):
            return
        if self._origin is None:
            self._origin = landsat.mean(axis=0, dtype=float), spectra.mean(axis=0, dtype=float)
            k, b = landsat.shape[1], spectra.shape[1]
            self._sums = [np.zeros(k), np.zeros(b), np.zeros((k, k)), np.zeros((k, b)), np.zeros(b)]
        for start in range(0, len(landsat), _ROWS):
            x = landsat[start : start + _ROWS] - self._origin[0]
            y = spectra[start : start + _ROWS] - self._origin[1]
            for total, part in zip(self._sums, (x.sum(0), y.sum(0), x.T @ x, x.T @ y, (y * y).sum(0)), strict=True):
                total += part
        self.count += len(landsat)

    def means(self) -> tuple[F64, F64]:
        """Means ``(K,)`` and ``(B,)``; RSF-D004 without any pixel."""
        if self._origin is None:
            fix = "cut the patches with a higher --min-valid, or correct their masks"
            raise RsforgeError("RSF-D004", "the training side has no valid pixel", fix=fix)
        return self._origin[0] + self._sums[0] / self.count, self._origin[1] + self._sums[1] / self.count

    def covariances(self) -> tuple[F64, F64, F64]:
        """Landsat with itself ``(K, K)``, Landsat with spectra ``(K, B)``, variances of spectra ``(B,)``."""
        x, y, xx, xy, yy = (total / self.count for total in self._sums)
        return xx - np.outer(x, x), xy - np.outer(x, y), yy - y * y


@dataclass(frozen=True)
class Ridge:
    """A spectrum is ``weight (B, K) @ landsat + bias (B,)``, in float64.

    ``strength`` is the penalty of the fit: the share of the variance of each Landsat band that was added to it.
    """

    weight: F64
    bias: F64
    strength: float

    def predict(self, landsat: F32) -> F32:
        """Spectra ``(..., B)`` of ``landsat (..., K)``."""
        return (landsat @ self.weight.T + self.bias).astype(np.float32)

    def mean_squared_error(self, moments: Moments) -> F64:
        """The mean squared error by band ``(B,)`` on the pixels of ``moments``, without reading them again."""
        x, y = moments.means()
        xx, xy, yy = moments.covariances()
        scatter = (
            yy - 2 * np.einsum("bk,kb->b", self.weight, xy) + np.einsum("bk,kj,bj->b", self.weight, xx, self.weight)
        )
        error: F64 = np.maximum(scatter, 0) + (y - self.weight @ x - self.bias) ** 2
        return error

    def rescale(self, landsat: Scaling, spectra: Scaling) -> Ridge:
        """The same regression for normalised values, exact where they are not clipped."""
        gain_x, offset_x = landsat.gain_and_offset()
        gain_y, offset_y = spectra.gain_and_offset()
        weight = self.weight * gain_y.reshape(-1, 1) / gain_x
        offsets = np.broadcast_to(offset_x, weight.shape[1:])
        return Ridge(weight, self.bias * gain_y + offset_y - weight @ offsets, self.strength)

    def as_dict(self) -> dict[str, Any]:
        return {"weight": self.weight.tolist(), "bias": self.bias.tolist(), "strength": self.strength}

    @classmethod
    def from_dict(cls, record: Any, *, where: str = "") -> Ridge:
        """The regression stored in a checkpoint; RSF-D006 when it is damaged."""
        try:
            weight, bias = np.array(record["weight"], float), np.array(record["bias"], float)
            if weight.ndim != 2 or bias.shape != weight.shape[:1] or not np.isfinite(weight).all():
                raise ValueError
            return cls(weight, bias, float(record["strength"]))
        except (KeyError, TypeError, ValueError):
            found = repr(record)[:200]
            raise RsforgeError("RSF-D006", "the stored regression is damaged", where=where, found=found) from None


def fit_ridge(train: Moments, strength: float = DEFAULT_STRENGTH) -> Ridge:
    """The least squares of all bands with the penalty ``strength * diag(covariance)``, by the normal equations.

    Since each Landsat band is penalised in proportion to its own variance, the fit does not depend on the units. A
    Landsat band that never changes gets no weight. RSF-D004 without any pixel.
    """
    x, y = train.means()
    xx, xy, _ = train.covariances()
    variances = np.diag(xx)
    # A band with almost no variance would have an almost singular row.
    alive = variances > _DEAD * max(float(variances.max()), np.finfo(float).tiny)
    weight = np.zeros((len(y), len(x)))
    if alive.any():
        scale = np.sqrt(variances[alive])
        correlation = xx[np.ix_(alive, alive)] / np.outer(scale, scale) + strength * np.eye(int(alive.sum()))
        solution = np.linalg.solve(correlation, xy[alive] / scale[:, None])
        weight[:, alive] = (solution / scale[:, None]).T
    return Ridge(weight, y - weight @ x, strength)


def choose_ridge(train: Moments, held_out: Moments | None, strengths: Sequence[float] = STRENGTHS) -> Ridge:
    """The fit whose strength has the least error on the held-out pixels, each band divided by its variance there.

    Without held-out pixels it is ``DEFAULT_STRENGTH``, which is no more than a guard against bands that depend on each
    other: directions of Landsat with more than a millionth of the variance of a band stay nearly as they are.
    """
    if held_out is None or not held_out.count:
        return fit_ridge(train)
    variances = held_out.covariances()[2]
    weights = 1 / np.where(variances > 0, variances, 1)
    fits = [fit_ridge(train, strength) for strength in strengths]
    return min(fits, key=lambda fit: float(fit.mean_squared_error(held_out) @ weights))
