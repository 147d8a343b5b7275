"""Where square images hold data: masks that data sets have beside their images, where some of them have gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rsforge.data.images.augment import CENTRE, crop_square
from rsforge.data.io.georeference import Mask
from rsforge.data.io.threads import map_in_threads

_ROUNDING = 1e-3  # of the sum of weights


def mask_to_square(valid: Mask, size: int, place: float = CENTRE) -> Tensor:
    """The square of ``crop_square`` of ``valid (H, W)``, bool ``(1, size, size)``: True where a pixel holds data alone.

    The weights of bicubic resampling add up to 1 where only pixels with data have any.
    """
    share = np.asarray(crop_square(Image.fromarray(valid.astype(np.float32)), size, place))
    return torch.from_numpy(np.abs(share - 1) < _ROUNDING)[None]


class SquareMasks:
    """Where images hold data, bool ``(1, size, size)`` by index: everywhere but in those that have ``gaps``.

    ``read`` makes the mask of an image by its index: of all that have gaps at once, or with ``keep`` off on access.
    """

    def __init__(self, gaps: Sequence[bool], size: int, read: Callable[[int], Tensor], *, keep: bool) -> None:
        self.gaps, self.size, self.read = list(gaps), size, read
        chosen = [index for index, has_gaps in enumerate(self.gaps) if has_gaps and keep]
        self.kept = dict(zip(chosen, map_in_threads(read, chosen), strict=True))

    def __bool__(self) -> bool:
        return any(self.gaps)

    def __getitem__(self, index: int) -> Tensor:
        if not self.gaps[index]:
            return torch.ones(1, self.size, self.size, dtype=torch.bool)
        return self.kept[index].clone() if index in self.kept else self.read(index)


def has_gaps(samples: Any) -> bool:
    """Whether some image of a data set holds no data somewhere: it then has ``valid(key)``."""
    return bool(getattr(samples, "has_gaps", False))


def masks_of(samples: Any) -> Callable[[Any], Tensor | None]:
    """The masks ``(1, S, S)`` of a data set by key; None of each where no image has gaps."""
    return samples.valid if has_gaps(samples) else _hold_data


def stack_valid(samples: Any, indices: Sequence[int]) -> Tensor | None:
    """Where the images of the items of a data set at ``indices`` hold data, as they are: ``(B, 1, S, S)``, or None."""
    if not has_gaps(samples):
        return None
    masks: list[Tensor] = [samples.valid((0, index)) for index in indices]
    return torch.stack(masks)


def find_with_data(samples: Any, indices: Iterable[int]) -> Iterator[int]:
    """Those of ``indices`` whose images, as they are, hold data in some pixel: of others nothing can be said."""
    valid_of = masks_of(samples)
    for index in indices:
        valid = valid_of((0, index))
        if valid is None or valid.any():
            yield index


def _hold_data(key: object) -> None:
    return None
