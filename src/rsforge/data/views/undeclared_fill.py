"""Values that stand where nothing was measured, although no metadata say so."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull

from rsforge.data.io.georeference import Mask

LEAST_SHARE = 0.02  # of the image, in areas that touch its border
LEAST_LENGTH = 0.05  # of the border that such an area takes
FEWEST = 16  # pixels
MOST_UNEVEN = 0.75  # pixels by which an edge strays from straight lines, on average: of a raster by half of one


class Fill(NamedTuple):
    """A value that fills a share of the pixels of an image.

    Where the rest has ``straight`` edges, as a swath and a rotated image have, it is no water, snow or cloud.
    """

    value: float
    share: float
    straight: bool = False


def find_fill(values: npt.NDArray[Any], valid: Mask) -> Fill | None:
    """The one value of all bands of ``values (H, W, C)`` that fills connected areas at the border; None for none.

    Of integers it has to be 0 or an end of the range of the image: calm water, for one, has few values. Where
    ``valid (H, W)`` is False, pixels are known to hold no data already.
    """
    value = _commonest_at_border(values, valid)
    if value is None or not _can_fill(value, values, valid):
        return None
    filled: Mask = valid & (values == value).all(axis=-1)
    least = max(LEAST_SHARE * filled.size, FEWEST)
    if filled.sum() < least or filled.sum() == valid.sum():
        return None
    # Of noise that happens to have the value no pixel is left: areas have an inside.
    inside = ndimage.binary_erosion(filled, np.ones((3, 3)), border_value=1)
    labels, _ = ndimage.label(inside)
    at_border = np.unique(np.concatenate(_take_border(labels)))
    if np.isin(labels, at_border[at_border > 0]).sum() < least / 2:
        return None
    return Fill(float(value), float(filled.mean()), _has_straight_edges(filled))


def _has_straight_edges(filled: Mask) -> bool:
    """Whether what is not filled is convex, as far as pixels tell: shores and clouds have bays, images none."""
    labels, _ = ndimage.label(filled)
    inside = ndimage.binary_erosion(filled, np.ones((3, 3)), border_value=1)
    areas = filled & np.isin(labels, np.unique(labels[inside]))
    rest: Mask = ndimage.binary_fill_holes(~areas)
    rows = np.flatnonzero(rest.any(axis=1))
    if not rows.size:
        return False
    left, right = rest[rows].argmax(axis=1), rest.shape[1] - rest[rows, ::-1].argmax(axis=1)
    corners = np.concatenate([np.stack([rows + down, side], 1) for down in (0, 1) for side in (left, right)])
    edge = int((rest & ndimage.binary_dilation(~rest, np.ones((3, 3)))).sum())
    return bool(ConvexHull(corners).volume - rest.sum() <= MOST_UNEVEN * edge)


def _commonest_at_border(values: npt.NDArray[Any], valid: Mask) -> Any:
    """The value of all bands that most pixels of the border have, if these are enough to be of areas; else None."""
    border = np.concatenate(_take_border(values))
    same = np.concatenate(_take_border(valid)) & (border == border[:, :1]).all(axis=-1)
    if same.sum() < LEAST_LENGTH * len(border):
        return None
    found, counts = np.unique(border[same, 0], return_counts=True)
    return found[counts.argmax()] if counts.max() >= max(LEAST_LENGTH * len(border), 1) else None


def _take_border(image: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The first and last rows and columns of ``(H, W, ...)``."""
    return [image[0], image[-1], image[:, 0], image[:, -1]]


def _can_fill(value: Any, values: npt.NDArray[Any], valid: Mask) -> bool:
    if values.dtype.kind == "f":
        return bool(np.isfinite(value))
    known = values[valid]
    return bool(value in (0, known.min(), known.max()))
