"""Statistics of boxes, against a loop over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.models.local_statistics import BOXES, FEATURES, box_mean, local_statistics


def count_by_hand(band: np.ndarray, row: int, column: int) -> list[float]:
    """The features of one pixel of a band ``(H, W)``."""
    boxes = []
    for size in BOXES:
        half = size // 2
        boxes.append(band[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1])
    pixel, means, stds = band[row, column], [box.mean() for box in boxes], [box.std() for box in boxes]
    patch_mean, patch_std = band.mean(), band.std()
    return [
        pixel, *means, *stds, patch_mean, patch_std,
        pixel**2, *(mean**2 for mean in means), *(mean * std for mean, std in zip(means, stds, strict=True)),
        means[1] * means[3], means[3] * patch_mean, stds[3] * patch_std,
    ]  # fmt: skip


def test_features_are_those_of_a_loop_over_pixels_band_after_band():
    sar = torch.rand(2, 2, 20, 37, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    made = local_statistics(sar)
    assert made.shape == (2, 2 * len(FEATURES), 20, 37) and len(FEATURES) == 23
    by_hand = np.empty(made.shape)
    for image in range(2):
        for band in range(2):
            features = slice(band * len(FEATURES), (band + 1) * len(FEATURES))
            for row, column in np.ndindex(20, 37):
                by_hand[image, features, row, column] = count_by_hand(sar[image, band].numpy(), row, column)
    np.testing.assert_allclose(made.numpy(), by_hand, atol=1e-7)


@pytest.mark.parametrize("size", BOXES)
def test_boxes_larger_than_the_image_take_all_of_it(size):
    x = torch.arange(12, dtype=torch.float64).view(1, 1, 3, 4)
    assert box_mean(x, size)[0, 0, 1, 1] == (x[0, 0, :3, :3].mean() if size == 3 else x[0, 0].mean())


def test_a_constant_image_has_no_deviation():
    made = local_statistics(torch.full((1, 1, 16, 16), 0.3))[0, :, 4, 4]
    features = dict(zip(FEATURES, made.tolist(), strict=True))
    assert {features[name] for name in FEATURES if name.startswith("std")} == {0.0}
    assert features["mean_31"] == pytest.approx(0.3)
