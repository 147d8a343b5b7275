"""Starting from an image: as many steps as in diffusers, and nearer to the image at lower strength."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.process import q_sample
from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.catalogue import SAMPLERS
from rsforge.samplers.image_to_image import noisy_start, remaining_steps
from rsforge.samplers.timesteps import timesteps
from tests.worlds.sampling import noise, optimal


@pytest.mark.parametrize("num_steps", [1, 7, 50])
def test_strength_leaves_as_many_steps_as_in_diffusers(num_steps) -> None:
    steps = timesteps(1000, num_steps)
    for strength in [i / 100 for i in range(101)]:
        theirs = min(int(num_steps * strength), num_steps)  # StableDiffusionImg2ImgPipeline.get_timesteps
        expected = theirs or (1 if strength else 0)
        left = remaining_steps(steps, strength)
        assert len(left) == expected and left == steps[len(steps) - expected :]


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_strength_is_a_share(strength) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        remaining_steps([9, 0], strength)


def test_the_start_lies_at_the_level_of_the_first_step() -> None:
    table, x_0, eps = alphas_cumprod("cosine"), torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(noisy_start(x_0, eps, table, [400, 0]), q_sample(x_0, eps, table[400]))
    assert torch.equal(noisy_start(x_0, eps, table, []), x_0)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_the_less_strength_the_nearer_to_the_image(sampler) -> None:
    table, x_0 = alphas_cumprod("linear"), torch.full((500,), 0.2)
    gone = []
    for strength in (0.1, 0.3, 0.9):
        steps = remaining_steps(timesteps(1000, 40), strength)
        start = noisy_start(x_0, noise(1)(x_0), table, steps)
        x = sampler(optimal(table), start, table, steps=steps, draw=noise(2))
        gone.append(float((x - x_0).square().mean()))
    assert gone == sorted(gone) and gone[0] < 0.5 * gone[2]
