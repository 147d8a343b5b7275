"""Images that hold no numbers are refused by name, and those of one colour are warned of."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.inference.broken_images import check_images, find_flat, refuse_broken, warn_of_preview
from tests.worlds.consoles import RecordingConsole

NAMES = ["a.png", "b.png", "c.png"]


def test_one_channel_with_a_pattern_is_no_single_colour():
    images = torch.full((3, 3, 8, 8), 0.3)
    images[1, 2, ::2] = 0.4
    images[2] += torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)  # another colour, everywhere
    assert find_flat(images).tolist() == [True, False, True]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_images_that_are_not_finite_are_named(value):
    images = torch.rand(3, 3, 4, 4)
    images[1, 0, 2, 2] = value
    with pytest.raises(RsforgeError, match="1 image of the model is not finite") as raised:
        refuse_broken(images, NAMES, kept="nothing")
    assert (raised.value.code, raised.value.where, raised.value.kept) == ("RSF-T004", "b.png", "nothing")
    assert "another checkpoint" in raised.value.fix
    refuse_broken(torch.rand(3, 3, 4, 4), NAMES)


def test_what_is_wrong_is_said_once_of_all_images():
    console, images = RecordingConsole(), torch.rand(3, 3, 8, 8)
    check_images(images, NAMES, console)
    assert not console.has_line("colour")
    images[:2] = -1
    check_images(images, NAMES, console)
    assert console.has_line("2 images have one colour everywhere (a.png; b.png)")
    assert console.has_line("use another checkpoint")


def test_a_preview_is_warned_of_and_shown():
    console, images = RecordingConsole(), torch.rand(3, 3, 8, 8)
    warn_of_preview(images, "epoch_3.png", console)
    assert not console.warned
    images[0, 1, 2, 2] = torch.nan
    images[1:] = 0.5
    warn_of_preview(images, "epoch_3.png", console)
    broken, flat = console.warned
    assert broken.startswith("epoch_3.png: 1 image is not finite") and "--learning-rate" in broken
    assert flat.startswith("epoch_3.png: 2 images have one colour everywhere")
