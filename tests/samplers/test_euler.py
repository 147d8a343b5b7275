"""Euler on the straight path: DDIM without noise, diffusers' flow matching, and few steps where answers are sharp."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import nn

from rsforge.noise.process import path_time, q_sample, target
from rsforge.noise.schedules import alphas_cumprod
from rsforge.noise.timestep_sampling import sample_timesteps
from rsforge.samplers.catalogue import default_num_steps
from rsforge.samplers.ddim import ddim
from rsforge.samplers.euler import euler
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import timesteps
from tests.worlds.sampling import network, refuse


def start():
    return torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("num_steps", "spacing"), [(1, "trailing"), (4, "trailing"), (50, "leading"), (200, "linspace")]
)
@pytest.mark.parametrize("schedule", ["flow", "linear", "cosine"])
@pytest.mark.parametrize("prediction", ["flow", "v", "x_0"])
def test_ddim_without_noise_is_euler_on_the_straight_path(prediction, schedule, spacing, num_steps) -> None:
    table, x_T = alphas_cumprod(schedule, 200), start()  # noqa: N806
    walk = {"steps": timesteps(200, num_steps, spacing), "draw": refuse}
    denoise = x0_denoiser(network, table, prediction)
    implicit, straight = (sampler(denoise, x_T, table, **walk) for sampler in (ddim, euler))
    torch.testing.assert_close(straight, implicit, atol=1e-12, rtol=0)
    assert (straight - x_T).abs().max() > 0.5


@pytest.mark.parametrize("num_steps", [1, 4, 28])
@pytest.mark.parametrize("spacing", ["linspace", "trailing", "leading"])
def test_every_step_is_that_of_diffusers(spacing, num_steps) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import FlowMatchEulerDiscreteScheduler
    table, steps = alphas_cumprod("flow"), timesteps(1000, num_steps, spacing)
    reference = FlowMatchEulerDiscreteScheduler()
    reference.set_timesteps(sigmas=path_time(table[steps]).tolist())
    states, outputs = [], []

    def listening(x_t, t):
        states.append(x_t)
        outputs.append(network(x_t, t))
        return outputs[-1]

    end = euler(x0_denoiser(listening, table, "flow"), start(), table, steps=steps, draw=refuse)
    levels = [*table[steps], torch.tensor(1.0, dtype=torch.float64)]
    paths = [x / (a.sqrt() + (1 - a).sqrt()) for x, a in zip([*states, end], levels, strict=True)]
    reference.sigmas = reference.sigmas.double()
    for i, t in enumerate(reference.timesteps):
        expected = reference.step(outputs[i].double(), t, paths[i]).prev_sample
        torch.testing.assert_close(paths[i + 1], expected, atol=1e-6, rtol=0, check_dtype=False)


def test_a_constant_velocity_needs_one_step() -> None:
    table, (x_0, eps) = alphas_cumprod("flow"), torch.randn(2, 4, 3)
    denoise = x0_denoiser(lambda x_t, t: eps - x_0, table, "flow")
    torch.testing.assert_close(euler(denoise, eps, table, steps=[999], draw=refuse), x_0, atol=1e-6, rtol=0)


class Translator(nn.Module):
    """A tiny denoiser of two numbers that is told two others."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

    def forward(self, x_t, t, told):
        angle = (t + 1)[:, None] * math.pi / 1000 * torch.tensor([0.5, 1.0])
        return self.net(torch.cat([x_t, angle.cos(), angle.sin(), told], dim=1))


def pairs(count):
    """Two numbers, and two that follow from them but for a little noise."""
    told = 2 * torch.rand(count, 2) - 1
    first, second = torch.sin(3 * told[:, 0] + told[:, 1]), torch.cos(2 * told[:, 1] - 2 * told[:, 0])
    return told, 1.4 * torch.stack([first, second], dim=1) + 0.1 * torch.randn(count, 2)


def trained(prediction, table, sampling):
    torch.manual_seed(0)
    network = Translator()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(400):
        (told, x_0), t = pairs(128), sample_timesteps(sampling, 1000, 128)
        eps, level = torch.randn_like(x_0), table[t]
        output = network(q_sample(x_0, eps, level), t, told)
        loss = (output - target(prediction, x_0, eps, level)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def energy_distance(x, y):
    """Székely & Rizzo 2013; 0 for equal distributions."""
    return float(2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean())


def distance_to_the_data(network, prediction, table, steps):
    torch.manual_seed(1)
    told, x_T = pairs(1000)[0], torch.randn(1000, 2)  # noqa: N806
    denoise = x0_denoiser(lambda x_t, t: network(x_t, t, told), table, prediction)
    drawn = ddim(denoise, x_T, table, steps=steps, draw=refuse)
    return energy_distance(torch.cat([told, drawn], dim=1), torch.cat(pairs(1000), dim=1))


def test_four_steps_of_flow_translate_as_well_as_fifty_of_eps() -> None:
    """Where the answer is nearly determined, paths are nearly straight; both networks have the same training."""
    straight, linear = alphas_cumprod("flow"), alphas_cumprod("linear")
    flow, eps = trained("flow", straight, "logit_normal"), trained("eps", linear, "uniform")
    steps = timesteps(1000, default_num_steps("euler", "flow", 1000), "trailing")
    ours = distance_to_the_data(flow, "flow", straight, steps)
    assert len(steps) == 4 and ours <= distance_to_the_data(eps, "eps", linear, timesteps(1000, 50))
    assert ours < 0.5 * distance_to_the_data(eps, "eps", linear, timesteps(1000, 4, "trailing"))
