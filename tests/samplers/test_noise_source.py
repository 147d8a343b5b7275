"""An image's noise is its own."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.noise_source import SeededNoise


def drawn(seed, indices, shape=(3, 4, 4), times=3, dtype=torch.float32):
    source = SeededNoise(seed, indices)
    like = torch.empty(len(indices), *shape, dtype=dtype)
    return torch.stack([source.draw(like) for _ in range(times)], dim=1)


@pytest.mark.parametrize("shape", [(3, 4, 4), (128,), (5,)])
@pytest.mark.parametrize("batch", [1, 4, 5])
def test_the_batch_does_not_matter(batch, shape) -> None:
    whole = drawn(7, range(16), shape)
    parts = [drawn(7, range(i, min(i + batch, 16)), shape) for i in range(0, 16, batch)]
    assert torch.equal(torch.cat(parts), whole)


def test_the_order_does_not_matter() -> None:
    order = [3, 0, 2, 1]
    assert torch.equal(drawn(7, order), drawn(7, range(4))[order])


def test_images_seeds_and_draws_differ() -> None:
    first = drawn(7, [0, 1, 2])
    assert len({tuple(row.tolist()) for row in first.reshape(9, -1)}) == 9
    others = drawn(8, [0, 1, 2])
    # Not even as seed + index: image 1 of seed 7 is not image 0 of seed 8.
    assert not any(torch.equal(one, other) for one in first for other in others)


def test_it_is_standard_normal_in_the_wanted_dtype_and_leaves_the_global_state() -> None:
    before = torch.get_rng_state()
    x = drawn(0, range(8), (100, 100), dtype=torch.float64)
    assert torch.equal(before, torch.get_rng_state())
    assert x.dtype == torch.float64 and torch.equal(x, x.float().double())
    assert abs(x.mean()) < 0.01 and abs(x.std() - 1) < 0.01


def test_another_batch_size_is_refused() -> None:
    with pytest.raises(ValueError, match="2 images asked for 3"):
        SeededNoise(0, [0, 1]).draw(torch.empty(3, 1))


def test_a_sampled_image_does_not_depend_on_its_batch() -> None:
    table = alphas_cumprod("linear")

    def sample(indices):
        source = SeededNoise(1, indices)
        x_T = source.draw(torch.empty(len(indices), 6))  # noqa: N806
        return ddpm(lambda x, t: x.tanh(), x_T, table, steps=[999, 600, 300, 0], draw=source.draw)

    assert torch.equal(torch.cat([sample([0]), sample([1, 2])]), sample([0, 1, 2]))
