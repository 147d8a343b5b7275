"""The figures of conditioning, by hand."""

from __future__ import annotations

import pytest
import torch

from tests.learning.figures import agree, colour_changes, mean_colours, shares_nearer_own


def flat(*levels: float) -> torch.Tensor:
    return torch.tensor(levels).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_an_image_is_compared_with_truths_of_other_scenes_alone() -> None:
    truths, images = flat(0.0, 0.1, 1.0, 2.0), flat(0.04, 0.9, 1.1, 0.0)
    shares = shares_nearer_own(images, truths, ["a", "a", "b", "c"])
    assert shares.tolist() == pytest.approx([1.0, 0.5, 1.0, 0.0])


def test_changes_are_between_any_two_looks() -> None:
    colours = mean_colours(torch.stack([flat(0.0, 1.0, 3.0)]))
    assert colour_changes(colours)[0, :, 0].tolist() == [1.0, 3.0, 2.0]


def test_direction_and_size_of_changes() -> None:
    true = torch.tensor([[1.0, 0, 0], [0, 2.0, 0], [0, 0, -1.0]])
    share, size = agree(0.5 * true, true)
    assert share == 1 and size == pytest.approx(0.5)
    share, size = agree(torch.tensor([[1.0, 1, 0], [0, 2.0, 0], [0, 0, 1.0]]), true)
    assert share == pytest.approx(2 / 3) and size == pytest.approx(4 / 6)
