"""The figure with samples of each class."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from rsforge.data.images.class_folders import scan_classes
from rsforge.recipes.data.class_figure import SAMPLES, SIZE, draw_class_figure
from tests.worlds.pairs import save


def test_each_class_has_a_row_with_its_first_samples(tmp_path):
    for number, count in ((1, 4), (7, 1)):
        for k in range(count):
            save(tmp_path / f"{number:04d}_{k:04d}.png", np.full((20, 30, 3), 40 * number // 7 + 10 * k, np.uint8))
    index = scan_classes(tmp_path)
    with Image.open(io.BytesIO(draw_class_figure(index, {1: "beach", 7: "forest"}))) as figure:
        pixels = np.asarray(figure)
    assert pixels.shape == (2 * (SIZE + 2) + 2, SAMPLES * (SIZE + 2) + 2, 3)
    middles = [[pixels[2 + r * 130 + 64, 2 + c * 130 + 64, 0] for c in range(SAMPLES)] for r in range(2)]
    assert middles == [[5, 15, 25], [40, 0, 0]]
    assert (pixels[2:20, 2:60] > 200).any() and not (pixels[2:20, 132:190] > 200).any()
