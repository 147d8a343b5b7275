"""Ancestral sampling: step by step as in diffusers, and true to a known distribution."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.timesteps import timesteps
from tests.worlds.sampling import DEVIATION, MEAN, noise, noise_table, optimal, reference, walked

WALKS = [
    ("linear", False, "eps", "leading", 0, 1000),
    ("scaled_linear", True, "v", "trailing", 0, 100),
    ("cosine", False, "x_0", "linspace", 0, 100),
    ("linear", False, "v", "linspace", 0, 37),
    ("linear", False, "v", "trailing", 0, 37),
    ("scaled_linear", False, "eps", "leading", 1, 50),
    ("trained_betas", False, "eps", "leading", 2, 37),
    ("trained_betas", False, "x_0", "linspace", 0, 3),
    ("cosine", True, "v", "trailing", 0, 3),
    ("linear", False, "v", "leading", 0, 3),
]


@pytest.mark.parametrize(("schedule", "zero", "prediction", "spacing", "offset", "num_steps"), WALKS)
def test_every_step_is_that_of_diffusers(schedule, zero, prediction, spacing, offset, num_steps) -> None:
    table = noise_table(schedule, zero=zero)
    options = {"variance_type": "fixed_small", "clip_sample": False, "timestep_spacing": spacing}
    theirs = reference("DDPMScheduler", table, prediction, steps_offset=offset, **options)
    theirs.set_timesteps(num_steps)
    steps = timesteps(1000, num_steps, spacing, steps_offset=offset)
    assert steps == theirs.timesteps.tolist()
    states, outputs = walked(ddpm, table, prediction, steps)
    g = torch.Generator().manual_seed(1)
    for i, t in enumerate(steps):
        # At a last step other than 0 it multiplies the noise by 1e-10.
        expected = theirs.step(outputs[i], t, states[i], generator=g).prev_sample
        torch.testing.assert_close(states[i + 1], expected, atol=1e-6, rtol=1e-9)


def test_it_draws_from_the_data_and_so_does_stochastic_ddim() -> None:
    table = alphas_cumprod("linear")
    walk = {"steps": timesteps(1000, 1000)}
    x_T = noise(8)(torch.empty(2, 20_000, dtype=torch.float64))  # noqa: N806
    drawn = [
        ddpm(optimal(table), x_T[0], table, draw=noise(5), **walk),
        ddim(optimal(table), x_T[1], table, eta=1.0, draw=noise(6), **walk),
    ]
    for x in drawn:
        assert x.mean().item() == pytest.approx(MEAN, abs=0.01)
        assert x.std().item() == pytest.approx(DEVIATION, rel=0.02)
    assert drawn[0].mean().item() == pytest.approx(drawn[1].mean().item(), abs=0.015)
    assert drawn[0].std().item() == pytest.approx(drawn[1].std().item(), rel=0.03)


def test_a_walk_that_ends_early_leaves_the_noise_of_its_end() -> None:
    table = alphas_cumprod("linear", 250)
    x_T = noise(8)(torch.empty(40_000, dtype=torch.float64))  # noqa: N806
    end = float(table[100])
    x = ddpm(optimal(table), x_T, table, steps=range(249, 100, -1), draw=noise(5), final_alpha_bar=end)
    assert x.std().item() == pytest.approx((end * DEVIATION**2 + 1 - end) ** 0.5, rel=0.03)
