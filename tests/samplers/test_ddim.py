"""Implicit sampling: step by step as in diffusers, between a deterministic walk and DDPM."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.timesteps import StepGrid, timesteps
from tests.worlds.sampling import DEVIATION, MEAN, noise, noise_table, optimal, reference, refuse, walked

WALKS = [
    ("linear", False, "eps", "leading", 0, 250),
    ("scaled_linear", True, "v", "trailing", 0, 50),
    ("cosine", False, "x_0", "linspace", 0, 37),
    ("cosine", True, "v", "linspace", 0, 38),
    ("scaled_linear", False, "eps", "leading", 1, 50),
    ("trained_betas", False, "v", "leading", 3, 31),
    ("trained_betas", False, "eps", "trailing", 0, 10),
]


@pytest.mark.parametrize("to_one", [True, False])
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("schedule", "zero", "prediction", "spacing", "offset", "num_steps"), WALKS)
def test_every_step_is_that_of_diffusers(schedule, zero, prediction, spacing, offset, num_steps, eta, to_one) -> None:
    table, grid = noise_table(schedule, zero=zero), StepGrid(spacing, offset, to_one)
    options = {"clip_sample": False, "timestep_spacing": spacing, "set_alpha_to_one": to_one}
    theirs = reference("DDIMScheduler", table, prediction, steps_offset=offset, **options)
    theirs.set_timesteps(num_steps)
    steps = grid.timesteps(1000, num_steps)
    assert steps == theirs.timesteps.tolist()
    end = grid.final_alpha_bar(table)
    states, outputs = walked(ddim, table, prediction, steps, eta=eta, final_alpha_bar=end)
    draw = noise(1)
    for i, (t, t_next) in enumerate(pairwise([*steps, -1])):
        # It steps by 1000 // num_steps even where its own timesteps lie further apart.
        theirs.num_inference_steps = 1000 // (t - t_next) if spacing == "linspace" and t_next >= 0 else num_steps
        fresh = (
            draw(states[i]) if eta and (i + 1 < len(steps) or (t > 0 and not to_one)) else torch.zeros_like(states[i])
        )
        expected = theirs.step(outputs[i], t, states[i], eta=eta, variance_noise=fresh).prev_sample
        torch.testing.assert_close(states[i + 1], expected, atol=1e-6, rtol=1e-9)


@pytest.mark.parametrize("num_steps", [20, 300])
@pytest.mark.parametrize("zero", [False, True])
def test_with_eta_one_it_is_ddpm(zero, num_steps) -> None:
    table = alphas_cumprod("scaled_linear", 300, zero_terminal=zero)
    steps = timesteps(300, num_steps)
    ancestral, _ = walked(ddpm, table, "v", steps)
    implicit, _ = walked(ddim, table, "v", steps, eta=1.0)
    torch.testing.assert_close(torch.stack(implicit), torch.stack(ancestral), atol=1e-9, rtol=0)


def test_without_noise_it_carries_noise_to_data_quantile_by_quantile() -> None:
    table = alphas_cumprod("cosine", zero_terminal=True)
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    x = ddim(optimal(table), z, table, steps=timesteps(1000, 1000), draw=refuse)
    torch.testing.assert_close(x, MEAN + DEVIATION * z, atol=0.01, rtol=0)
