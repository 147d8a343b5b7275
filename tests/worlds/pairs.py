"""Fields that a SAR and an optical image show alike, drawn small for tests of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def fields(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """SAR (size, size) and optical (size, size, 3), uint8: rectangles of one land each, speckled and grainy."""
    rng = np.random.default_rng(seed)
    land = np.zeros((size, size), int)
    for label in range(1, 24):
        row, col = rng.integers(0, size, 2)
        height, width = rng.integers(size // 12, size // 3, 2)
        land[row : row + height, col : col + width] = label
    echo, colour = rng.uniform(20, 200, 24), rng.integers(20, 230, (24, 3))
    speckle = np.sqrt(rng.gamma(4, 1 / 4, land.shape))
    sar = np.clip(echo[land] * speckle, 1, 254).astype(np.uint8)
    return sar, np.clip(colour[land] + rng.normal(0, 6, (size, size, 3)), 1, 254).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def write_pairs(root: Path, terrains: tuple[str, ...] = ("fields",), count: int = 6, size: int = 96) -> None:
    """``terrain/s1/NAME.png`` and ``terrain/s2/NAME.png``, SEN1-2 names, each terrain one scene."""
    for t, terrain in enumerate(terrains):
        for k in range(count):
            sar, optical = fields(size, 1000 * t + k)
            save(root / terrain / "s1" / f"ROIs1970_fall_s1_{t}_p{k}.png", sar)
            save(root / terrain / "s2" / f"ROIs1970_fall_s2_{t}_p{k}.png", optical)
