"""DPM-Solver++(2M): step by step as in diffusers, and of second order."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.process import path_time
from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.dpm_solver import dpm_solver, half_log_snr
from rsforge.samplers.timesteps import StepGrid, timesteps
from tests.worlds.sampling import noise_table, optimal, reference, refuse, walked

WALKS = [
    ("linear", "eps", "leading", 0, 1),
    ("linear", "eps", "linspace", 0, 2),
    ("scaled_linear", "v", "trailing", 0, 10),
    ("scaled_linear", "eps", "leading", 1, 14),
    ("scaled_linear", "eps", "leading", 0, 15),
    ("cosine", "x_0", "linspace", 0, 20),
    ("trained_betas", "eps", "leading", 2, 25),
    ("trained_betas", "v", "trailing", 0, 100),
]


def levels(table, steps, grid):
    """The ratio b / a at every step and at the end, in float64; the scheduler keeps them in float32."""
    alpha_bar = torch.tensor([*table[steps].tolist(), grid.final_alpha_bar(table)], dtype=torch.float64)
    return ((1 - alpha_bar) / alpha_bar).sqrt()


@pytest.mark.parametrize("to_one", [True, False])
@pytest.mark.parametrize(("schedule", "prediction", "spacing", "offset", "num_steps"), WALKS)
def test_every_step_is_that_of_diffusers(schedule, prediction, spacing, offset, num_steps, to_one) -> None:
    table, grid = noise_table(schedule), StepGrid(spacing, offset, to_one)
    steps, end = grid.timesteps(1000, num_steps), "zero" if to_one else "sigma_min"
    theirs = reference("DPMSolverMultistepScheduler", table, prediction, final_sigmas_type=end)
    theirs.set_timesteps(timesteps=steps)
    theirs.sigmas = levels(table, steps, grid)
    states, outputs = walked(dpm_solver, table, prediction, steps, final_alpha_bar=grid.final_alpha_bar(table))
    for i, t in enumerate(steps):
        expected = theirs.step(outputs[i], t, states[i]).prev_sample
        torch.testing.assert_close(states[i + 1], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("num_steps", [4, 20])
def test_on_the_straight_path_too(num_steps) -> None:
    table, steps = alphas_cumprod("flow"), timesteps(1000, num_steps, "trailing")
    theirs = reference("DPMSolverMultistepScheduler", table, "eps", use_flow_sigmas=True)
    theirs.register_to_config(prediction_type="flow_prediction")
    theirs.set_timesteps(num_steps)
    theirs.timesteps = torch.tensor(steps)
    states, outputs = walked(dpm_solver, table, "flow", steps)
    at = torch.cat([table[steps], torch.ones(1, dtype=torch.float64)])
    theirs.sigmas = path_time(at)
    paths = [x / (a.sqrt() + (1 - a).sqrt()) for x, a in zip(states, at, strict=True)]
    for i, t in enumerate(steps):
        expected = theirs.step(outputs[i], t, paths[i]).prev_sample
        # The first step starts where there is no signal, whose logarithm it cannot take.
        if i:
            torch.testing.assert_close(paths[i + 1], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "flow"])
def test_it_is_of_second_order(schedule) -> None:
    """Twice the steps, a quarter of the error; twenty of its steps are nearer to the solution than eighty of DDIM."""
    table = alphas_cumprod(schedule, 20_000)
    time = torch.tensor([half_log_snr(a) for a in table.tolist()])
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    walk = {"final_alpha_bar": float(table[6000]), "draw": refuse}
    exact = ddim(optimal(table), z, table, steps=range(16_000, 6000, -1), **walk)

    def error(sampler, num_steps):
        times = torch.linspace(float(time[16_000]), float(time[6000]), num_steps + 1)[:-1]
        steps = [int((time - at).abs().argmin()) for at in times]
        return float((sampler(optimal(table), z, table, steps=steps, **walk) - exact).abs().max())

    assert error(dpm_solver, 40) < error(dpm_solver, 20) / 3.5
    assert error(dpm_solver, 20) < error(ddim, 80)
