"""Values that stand where nothing was measured, although no metadata say so."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rsforge.data.io.georeference import Mask

LEAST_SHARE = 0.02  # of the image, in areas that touch its border
LEAST_LENGTH = 0.05  # of the border that such an area takes
FEWEST = 16  # pixels


class Fill(NamedTuple):
    """A value that fills a share of the pixels of an image."""

    value: float
    share: float


def find_fill(values: npt.NDArray[Any], valid: Mask) -> Fill | None:
    """The one value of all bands of ``values (H, W, C)`` that fills connected areas at the border; None for none.

    Of integers it has to be 0 or an end of the range of the image: calm water, for one, has few values. Where
    ``valid (H, W)`` is False, pixels are known to hold no data already.
    """
    same = valid & (values == values[..., :1]).all(axis=-1)
    first = values[..., 0]
    border = _border(same)
    candidates = first[border & same]
    if candidates.size < LEAST_LENGTH * border.sum() or not candidates.size:
        return None
    found, counts = np.unique(candidates, return_counts=True)
    value = found[counts.argmax()]
    if not _can_fill(value, values, valid) or counts.max() < LEAST_LENGTH * border.sum():
        return None
    filled = same & (first == value)
    if filled.sum() < max(LEAST_SHARE * filled.size, FEWEST) or filled.sum() == valid.sum():
        return None
    # Of noise that happens to have the value no pixel is left: areas have an inside.
    inside = ndimage.binary_erosion(filled, np.ones((3, 3)), border_value=1)
    labels, count = ndimage.label(inside)
    at_border = np.unique(labels[border & inside]) if count else np.zeros(0, int)
    area = np.isin(labels, at_border[at_border > 0]).sum()
    if area < max(LEAST_SHARE * filled.size, FEWEST) / 2:
        return None
    return Fill(float(value), float(filled.mean()))


def _border(mask: Mask) -> Mask:
    border = np.zeros(mask.shape, bool)
    border[[0, -1], :] = border[:, [0, -1]] = True
    return border


def _can_fill(value: Any, values: npt.NDArray[Any], valid: Mask) -> bool:
    if values.dtype.kind == "f":
        return bool(np.isfinite(value))
    known = values[valid]
    return bool(value in (0, known.min(), known.max()))
