"""What exported networks take: shapes, values, and what stays open."""

from __future__ import annotations

import torch
from torch import nn

from rsforge.recipes.export.network import ExportedNetwork, NetworkInput

IMAGE = NetworkInput("x_t", (4, None, None))
NUMBERS = NetworkInput("tokens", (7,), below=5)


def test_images_have_the_sides_that_are_asked_for_and_values_of_images():
    x = IMAGE.draw(2, (8, 24), torch.Generator().manual_seed(0))
    assert x.shape == (2, 4, 8, 24) and x.dtype == torch.float32 and -1 <= x.min() < -0.5 and 0.5 < x.max() <= 1


def test_whole_numbers_are_below_their_bound():
    x = NUMBERS.draw(40, (8, 24), torch.Generator().manual_seed(0))
    assert x.shape == (40, 7) and x.dtype == torch.int64 and set(x.flatten().tolist()) == set(range(5))


def test_batch_and_sides_stay_open():
    batch = torch.export.Dim("batch")
    assert set(IMAGE.free_dimensions(batch, 8, any_size=True)) == {0, 2, 3}
    assert IMAGE.free_dimensions(batch, 8, any_size=False) == {0: batch}
    assert NUMBERS.free_dimensions(batch, 8, any_size=True) == {0: batch}


def test_a_network_without_images_has_no_sides():
    network = nn.Linear(2, 3)
    with_images, without = (ExportedNetwork(network, (one,), "y", 8, 1, {}) for one in (IMAGE, NUMBERS))
    assert with_images.has_sides and not without.has_sides and with_images.bytes_of_weights == 36
