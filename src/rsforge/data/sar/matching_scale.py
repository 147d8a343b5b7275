"""The scale of values on which SAR and optical images are compared with each other and among themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_MIN_POWER = 1e-6


def scale_for_matching(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """``values (H, W, C)`` as float32: non-negative floats, taken for powers, on a log scale; invalid ones at the mean.

    ``valid (H, W)`` is True where pixels hold data. Zeros where nothing is valid and finite.
    """
    scaled = values.astype(np.float32)
    usable = np.isfinite(scaled) & valid[..., None]
    if not usable.any():
        return np.zeros_like(scaled)
    if values.dtype.kind == "f" and scaled[usable].min() >= 0:
        scaled = np.log10(np.maximum(scaled, _MIN_POWER))
    return np.where(usable, scaled, scaled[usable].mean())
