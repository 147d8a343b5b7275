"""Which timesteps are visited, and the door from network to x_0."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rsforge.noise.process import q_sample, target
from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.walk import denoiser, stages, timesteps

SPACINGS = ["linspace", "trailing", "leading"]


@pytest.fixture(scope="module")
def scheduler():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import DDIMScheduler
    return DDIMScheduler


@pytest.mark.parametrize("spacing", SPACINGS)
def test_numbers_are_those_of_diffusers(scheduler, spacing) -> None:
    reference = scheduler(timestep_spacing=spacing, steps_offset=0)
    compared = 0
    for num_steps in range(2, 1001):
        reference.set_timesteps(num_steps)
        theirs = reference.timesteps.tolist()
        # Its trailing spacing now and then gives one step too many, numbered -1.
        assert timesteps(1000, num_steps, spacing) == [t for t in theirs if t >= 0]
        compared += len(theirs) == num_steps
    assert compared > 900


@given(data=st.data(), spacing=st.sampled_from(SPACINGS), num_train_steps=st.integers(1, 3000))
def test_steps_descend_within_the_table(data, spacing, num_train_steps) -> None:
    num_steps = data.draw(st.integers(1, num_train_steps))
    steps = timesteps(num_train_steps, num_steps, spacing)
    assert len(steps) == num_steps and all(a > b for a, b in pairwise(steps))
    assert steps[-1] >= 0 and steps[0] < num_train_steps
    if spacing != "leading":
        assert steps[0] == num_train_steps - 1
    if spacing == "leading" or (spacing == "linspace" and num_steps > 1):
        assert steps[-1] == 0


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("num_train_steps", [1, 7, 1000])
def test_as_many_steps_as_trained_are_all_of_them(spacing, num_train_steps) -> None:
    assert timesteps(num_train_steps, num_train_steps, spacing) == list(range(num_train_steps))[::-1]


def test_unusable_numbers_are_refused() -> None:
    for num_steps in (0, -1, 1001):
        with pytest.raises(ValueError, match="1 to 1000"):
            timesteps(1000, num_steps)
    with pytest.raises(ValueError, match="karras"):
        timesteps(1000, 10, "karras")


def test_stages_end_at_the_data() -> None:
    table = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)
    assert stages(table, [2, 0]) == [(2, 0.1, 0.9), (0, 0.9, 1.0)]
    for steps in ([], [0, 2], [1, 1], [3, 0], [1, -1]):
        with pytest.raises(ValueError, match="descend"):
            stages(table, steps)


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 5)])
def test_every_prediction_comes_through_the_door_as_x_0(prediction, shape) -> None:
    table = alphas_cumprod("cosine")
    g = torch.Generator().manual_seed(0)
    x_0, eps = (torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(2))
    asked = []

    def network(x_t, t):
        asked.append(t)
        return target(prediction, x_0, eps, table[t])

    denoise = denoiser(network, table, prediction)
    for t in (0, 500, 990):
        torch.testing.assert_close(denoise(q_sample(x_0, eps, table[t]), t), x_0, atol=1e-10, rtol=0)
        assert asked[-1].dtype == torch.long and asked[-1].tolist() == [t, t]


def test_clip_bounds_x_0_and_only_when_asked() -> None:
    table, wild = alphas_cumprod("linear"), torch.tensor([[-3.0, 0.5, 2.0]])
    assert denoiser(lambda x, t: wild, table, "x_0")(wild, 3).tolist() == wild.tolist()
    assert denoiser(lambda x, t: wild, table, "x_0", clip=1.0)(wild, 3).tolist() == [[-1.0, 0.5, 1.0]]


def test_a_half_precision_network_does_not_narrow_the_walk() -> None:
    x_t = torch.randn(2, 3)
    for prediction in ("eps", "v", "x_0"):
        denoise = denoiser(lambda x, t: x.bfloat16(), alphas_cumprod("linear"), prediction)
        assert denoise(x_t, 5).dtype == torch.float32


def test_eps_from_pure_noise_is_refused_at_the_door() -> None:
    table = alphas_cumprod("linear", zero_terminal=True)
    with pytest.raises(ValueError, match="zero terminal SNR"):
        denoiser(lambda x, t: x, table, "eps")
    denoise = denoiser(lambda x, t: x, table, "v")
    assert denoise(torch.ones(1, 2), 999).isfinite().all()


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
@pytest.mark.parametrize("steps", [10, 50, 1000])
def test_a_small_error_of_eps_is_not_blown_up_where_no_signal_is_left(kind, steps):
    """The cosine schedule ends at alpha_bar 2.4e-9: an error of 1 % there would be two hundredfold in x_0."""
    table = alphas_cumprod(kind)
    torch.manual_seed(0)

    def nearly(x_t, t):
        exact = (1 - table[t[0]]).sqrt() * x_t
        return exact + 0.01 * torch.randn_like(x_t)

    start = torch.randn(4096, 1, dtype=torch.float64)
    walk = denoiser(nearly, table, "eps")
    if steps == 1000:
        drawn = ddpm(walk, start, table, steps=timesteps(1000, steps), draw=torch.randn_like)
    else:
        drawn = ddim(walk, start, table, steps=timesteps(1000, steps), draw=torch.randn_like)
    assert 0.4 < float(drawn.std()) < 1.25
