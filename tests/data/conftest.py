"""Small pictures for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Pixels = np.ndarray


@pytest.fixture
def noise() -> Callable[..., Pixels]:
    """Random pixels ``(H, W, 3)``, each number its own picture."""

    def make(number: int, height: int = 12, width: int = 12) -> Pixels:
        return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)

    return make


@pytest.fixture
def folder(tmp_path: Path, noise: Callable[..., Pixels]) -> Path:
    """Twelve different pictures in two nested folders."""
    for k in range(12):
        path = tmp_path / "tiles" / f"class_{k % 2}" / f"{k:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(k)).save(path)
    return tmp_path / "tiles"
