"""The figures of conditioning, by hand."""

from __future__ import annotations

import pytest
import torch

from tests.learning.figures import (
    agree,
    colour_changes,
    mean_colours,
    shares_nearer_own,
    shares_nearer_own_kind,
    whiten,
)


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


def test_kinds_are_told_apart_in_directions_in_which_their_members_are_alike():
    torch.manual_seed(0)
    kinds = torch.arange(600) % 3
    # What tells the kinds apart is small beside what varies within each, and hidden in another scale.
    features = torch.randn(600, 4) * torch.tensor([50.0, 1.0, 1.0, 1.0])
    features[:, 0] += 100
    features[:, 1] = features[:, 0] / 50 + 0.1 * torch.randn(600) + kinds
    whitened = whiten(features[:300], kinds[:300], shrinkage=0.01)
    shares = shares_nearer_own_kind(whitened(features[300:]), kinds[300:], whitened.centres)
    plain = torch.stack([features[:300][kinds[:300] == kind].mean(0) for kind in range(3)])
    assert float(shares.mean()) > 0.97 > 0.75 > float(shares_nearer_own_kind(features[300:], kinds[300:], plain).mean())


def test_the_share_is_of_other_kinds_alone():
    centres = torch.tensor([[0.0], [1.0], [4.0]])
    shares = shares_nearer_own_kind(torch.tensor([[0.9], [0.1], [3.9]]), torch.tensor([0, 0, 2]), centres)
    assert shares.tolist() == [0.5, 1.0, 1.0]
