"""Pairs are turned alike, and the optical image alone stands in other light."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional as reference

from rsforge.data.pairs.augment import AugmentedPairs, Strengths, augment_pair, rotate


class Pairs:
    """One pair whose images are the same but for the number of bands, smooth and without grey."""

    def __init__(self):
        ramp = torch.linspace(-0.8, 0.8, 16)
        self.image = torch.stack([ramp.expand(16, 16), ramp[:, None].expand(16, 16), -ramp.expand(16, 16)])

    def __len__(self):
        return 3

    def name(self, index):
        return str(index)

    def __getitem__(self, key):
        return self.image[:1], self.image


def changed(seed=1, **strengths):
    generator = torch.Generator().manual_seed(seed)
    return augment_pair(*Pairs()[0, 0], Strengths(**strengths), generator)


def test_without_strengths_nothing_changes():
    sar, optical = changed()
    assert torch.equal(sar, Pairs().image[:1]) and torch.equal(optical, Pairs().image)


def test_both_images_turn_alike():
    sar, optical = changed(rotate_deg=40)
    assert torch.equal(sar, optical[:1]) and not torch.allclose(sar, Pairs().image[:1], atol=0.05)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turn_is_counter_clockwise_as_torchvision_has_it(degrees):
    image = torch.rand(2, 8, 8)
    assert torch.allclose(rotate(image, degrees), reference.rotate(image, degrees), atol=1e-5)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue", "noise"])
def test_each_change_of_light_leaves_the_sar_image_alone(name):
    sar, optical = changed(**{name: 0.3})
    assert torch.equal(sar, Pairs().image[:1])
    assert not torch.equal(optical, Pairs().image) and optical.abs().max() <= 1


def test_the_same_epoch_and_index_are_the_same_and_others_are_not():
    first, again = (AugmentedPairs(Pairs(), Strengths(rotate_deg=9, noise=0.1), seed=3) for _ in range(2))
    assert torch.equal(first[1, 2][1], again[1, 2][1])
    others = [first[1, 1][1], first[2, 2][1], AugmentedPairs(Pairs(), first.strengths, seed=4)[1, 2][1]]
    assert not any(torch.equal(first[1, 2][1], other) for other in others)
    assert len(first) == 3 and first.name(2) == "2"


def test_noise_has_the_deviation_that_is_asked_for():
    plain = torch.zeros(3, 200, 200)
    _, optical = augment_pair(plain[:1], plain, Strengths(noise=0.05), torch.Generator().manual_seed(0))
    assert optical.std().item() == pytest.approx(0.1, rel=0.02)  # of [-1, 1], which is two units wide


class Masked(Pairs):
    """The same, without data at the left and black there."""

    has_gaps = True

    def valid(self, key):
        mask = torch.ones(1, 16, 16, dtype=torch.bool)
        mask[..., :4] = False
        return mask

    def __getitem__(self, key):
        return torch.ones(1, 16, 16).where(self.valid(key), -1), self.image


def test_masks_turn_with_the_images_and_leave_out_what_was_mixed():
    data = AugmentedPairs(Masked(), Strengths(rotate_deg=40), seed=1)
    for epoch in range(3):
        sar, mask = data[epoch, 0][0], data.valid((epoch, 0))
        assert mask.dtype == torch.bool and torch.equal(mask, sar > 0.99) and 0 < mask.sum() < mask.numel()
    still = AugmentedPairs(Masked(), Strengths(noise=0.1), seed=1)
    assert torch.equal(still.valid((0, 0)), Masked().valid(0))
    assert not AugmentedPairs(Pairs(), Strengths(rotate_deg=40), seed=1).has_gaps
