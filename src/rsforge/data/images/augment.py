"""Square crops and random augmentation of training images, pure functions of their arguments."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rsforge.data.io.image_reader import MAX_PIXELS, Pixels
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601 luma


CENTRE = 0.5


def to_square(rgb: Pixels, size: int, place: float = CENTRE) -> Tensor:
    """A square of ``(H, W, 3)``, as by ``crop_square``: uint8 ``(3, size, size)``."""
    square = np.array(crop_square(Image.fromarray(rgb), size, place))
    return torch.from_numpy(square).permute(2, 0, 1).contiguous()


def crop_centre(image: Image.Image, size: int) -> Image.Image:
    """The centre square of an image, as by ``crop_square``."""
    return crop_square(image, size)


def crop_square(image: Image.Image, size: int, place: float = CENTRE) -> Image.Image:
    """A square of an image of any mode, its shorter side resized to ``size``.

    Along the longer side it lies at ``place``: 0 is left or top, 1 right or bottom. Antialiased bicubic resampling.
    RSF-D003 for images too elongated to be resized.
    """
    h, w = scaled_size(image.height, image.width, size)
    resized = image.resize((w, h), Image.Resampling.BICUBIC)
    left, top = round((w - size) * place), round((h - size) * place)
    return resized.crop((left, top, left + size, top + size))


def scaled_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width when the shorter side becomes ``size``; RSF-D003 when the result has too many pixels."""
    short = min(height, width)
    h, w = size * height // short, size * width // short
    if h * w > MAX_PIXELS:
        raise RsforgeError("RSF-D003", f"an image of {width} x {height} cannot be resized to {size}")
    return h, w


def augment(image: Tensor, *, seed: int, epoch: int, index: int, flip: float, jitter: float) -> Tensor:
    """uint8 ``(3, H, W)`` as float in [-1, 1], augmented by random numbers that depend on (seed, epoch, index) alone.

    Mirrored left to right with probability ``flip``; brightness, contrast and saturation, in this order, are scaled by
    factors from a uniform distribution over ``1 - jitter`` to ``1 + jitter``.
    """
    coin, *draws = _draw(seed, epoch, index)
    if coin < flip:
        image = image.flip(-1)
    x = image.float() / 255
    if jitter > 0:
        brightness, contrast, saturation = (max(0.0, 1 + jitter * (2 * draw - 1)) for draw in draws)
        x = jitter_colours(x, brightness, contrast, saturation)
    return x * 2 - 1


def mirror_mask(valid: Tensor, *, seed: int, epoch: int, index: int, flip: float) -> Tensor:
    """The mask ``(1, H, W)`` of an image, mirrored where ``augment`` mirrors it."""
    return valid.flip(-1) if _draw(seed, epoch, index)[0] < flip else valid


def _draw(seed: int, epoch: int, index: int) -> list[float]:
    generator = torch.Generator().manual_seed(derive(seed, "augment", epoch, index))
    drawn: list[float] = torch.rand(4, generator=generator).tolist()
    return drawn


def jitter_colours(x: Tensor, brightness: float, contrast: float, saturation: float) -> Tensor:
    """Scale brightness, then contrast about the mean luma, then saturation about each pixel's; ``x`` in [0, 1]."""
    x = (x * brightness).clamp(0, 1)
    x = torch.lerp(_luma(x).mean(), x, contrast).clamp(0, 1)
    return torch.lerp(_luma(x).expand_as(x), x, saturation).clamp(0, 1)


def _luma(x: Tensor) -> Tensor:
    return (x * x.new_tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)
