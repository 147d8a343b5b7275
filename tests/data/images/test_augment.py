from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from rsforge.data.images.augment import augment, jitter_colours, to_square
from rsforge.errors import RsforgeError

IMAGE = torch.arange(3 * 8 * 8, dtype=torch.uint8).reshape(3, 8, 8)


def seen(epoch: int, index: int = 0, *, seed: int = 1, flip: float = 0.0, jitter: float = 0.0) -> torch.Tensor:
    return augment(IMAGE, seed=seed, epoch=epoch, index=index, flip=flip, jitter=jitter)


def test_nothing_switched_on_changes_nothing() -> None:
    assert torch.equal(seen(3), IMAGE.float() / 255 * 2 - 1)
    assert seen(0).min() >= -1 and seen(0).max() <= 1


def test_flips_come_as_often_as_asked() -> None:
    plain, mirrored = seen(0), seen(0).flip(-1)
    flips = [torch.equal(seen(epoch, index, flip=0.25), mirrored) for epoch in range(40) for index in range(50)]
    stays = [torch.equal(seen(epoch, flip=0.25), plain) for epoch in range(5)]
    assert sum(flips) == pytest.approx(500, abs=80)  # four standard deviations
    assert sum(stays) > 0
    assert all(torch.equal(seen(epoch, flip=1.0), mirrored) for epoch in range(20))


def test_the_draws_depend_on_seed_epoch_and_index_alone() -> None:
    first = seen(2, 7, flip=0.5, jitter=0.1)
    torch.manual_seed(99)
    assert torch.equal(seen(2, 7, flip=0.5, jitter=0.1), first)
    others = [seen(3, 7, jitter=0.1), seen(2, 8, jitter=0.1), seen(2, 7, seed=2, jitter=0.1)]
    assert not any(torch.equal(other, first) for other in others)


def test_jitter_stays_in_its_range_and_uses_it() -> None:
    grey = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    # On flat grey contrast and saturation have no effect, so the brightness factor can be read off.
    factors = torch.stack(
        [(augment(grey, seed=0, epoch=e, index=0, flip=0, jitter=0.2).mean() + 1) * 127.5 / 100 for e in range(300)]
    )
    assert 0.8 - 1e-3 <= factors.min() < 0.82 and 1.18 < factors.max() <= 1.2 + 1e-3
    assert factors.mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("factors", [(1.0, 1.0, 1.0), (1.3, 0.7, 1.4), (0.5, 1.6, 0.0), (1.1, 1.1, 1.1)])
def test_jitter_means_what_torchvision_means(factors: tuple[float, float, float]) -> None:
    x = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = reference.adjust_brightness(x, factors[0])
    expected = reference.adjust_contrast(expected, factors[1])
    expected = reference.adjust_saturation(expected, factors[2])
    torch.testing.assert_close(jitter_colours(x, *factors), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(8, 8), (40, 40), (30, 47), (48, 31), (5, 9)])
def test_square_agrees_with_resize_and_centre_crop(noise, shape: tuple[int, int]) -> None:
    pixels = noise(0, *shape)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    expected = reference.center_crop(reference.resize(tensor, [16], antialias=True, interpolation=3), [16, 16])
    got = to_square(pixels, 16)
    assert got.dtype == torch.uint8 and got.shape == (3, 16, 16) and got.is_contiguous()
    assert (got.int() - expected.int()).abs().max() <= 1


def test_the_right_size_is_left_alone(noise) -> None:
    pixels = noise(0, 16, 16)
    assert np.array_equal(to_square(pixels, 16).permute(1, 2, 0).numpy(), pixels)


def test_a_hair_is_refused() -> None:
    with pytest.raises(RsforgeError, match="10000 x 1 cannot be resized") as caught:
        to_square(np.zeros((1, 10_000, 3), np.uint8), 128)
    assert caught.value.code == "RSF-D003"
