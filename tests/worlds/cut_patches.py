"""Patches cut from one texture, for tests of shared pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage


def draw_texture(height: int, width: int, seed: int) -> np.ndarray:
    """A grey texture (height, width) as uint8, with details of all sizes: no place of it looks like another."""
    rng = np.random.default_rng(seed)
    layers = [ndimage.gaussian_filter(rng.normal(size=(height, width)), sigma) * sigma for sigma in (1, 2, 5, 12)]
    values = np.sum(layers, axis=0)
    return np.clip(128 + 45 * values / values.std(), 0, 255).astype(np.uint8)


def save_patch(
    path: Path, texture: np.ndarray, row: int, col: int, size: int = 64, *, quality: int = 0, gain: float = 1.0
) -> None:
    """The patch of ``size`` pixels at (row, col); as a JPEG of a ``quality`` above 0, with contrast times ``gain``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = texture[row : row + size, col : col + size]
    values = np.clip((values - 128.0) * gain + 128, 0, 255).astype(np.uint8)
    options = {"quality": quality} if quality else {}
    Image.fromarray(values).save(path, **options)


def write_overlapping_pairs(root: Path, *, groups: int = 4) -> list[tuple[str, str]]:
    """Pairs of 64 pixels in ``root/agri``, two of each texture, which share half; their names, texture by texture."""
    names = []
    for k in range(groups):
        optical, sar = draw_texture(64, 96, k), draw_texture(64, 96, 100 + k)
        for number, col in ((k, 0), (k + groups, 32)):
            save_patch(root / "agri" / "s2" / f"{number}.jpg", optical, 0, col, quality=90)
            save_patch(root / "agri" / "s1" / f"{number}.jpg", sar, 0, col, quality=90)
        names.append((f"agri/{k}", f"agri/{k + groups}"))
    return names
