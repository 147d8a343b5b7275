"""DDPM and DDIM: step by step as in diffusers, back to x_0 under an oracle, and true to a known distribution."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import timesteps

KINDS = ["linear", "scaled_linear", "cosine"]
SPACINGS = ["linspace", "trailing", "leading"]
THEIR_NAME = {"eps": "epsilon", "v": "v_prediction", "x_0": "sample"}
SHAPE = (2, 3, 2, 2)


@pytest.fixture(scope="module")
def theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import DDIMScheduler, DDPMScheduler
    return {"ddpm": DDPMScheduler, "ddim": DDIMScheduler}


def noise(seed=0):
    g = torch.Generator().manual_seed(seed)
    return lambda like: torch.randn(like.shape, generator=g, dtype=like.dtype)


def refuse(like):
    raise AssertionError("no noise is needed here")


def network(x_t, t):
    """Any smooth function of both arguments will do."""
    return torch.tanh(x_t) + 0.3 * torch.cos(t / 100).view(-1, 1, 1, 1)


def walked(sampler, table, prediction, steps, seed=1, **options):
    """Every state of a walk, from x_T to x_0, and what the network said at each."""
    states, outputs = [], []

    def listening(x_t, t):
        states.append(x_t)
        outputs.append(network(x_t, t))
        return outputs[-1]

    x_T = noise()(torch.empty(SHAPE, dtype=torch.float64))  # noqa: N806
    states_end = sampler(
        x0_denoiser(listening, table, prediction), x_T, table, steps=steps, draw=noise(seed), **options
    )
    return [*states, states_end], outputs


def compared(scheduler, table, prediction, kind, spacing, num_steps):
    reference = scheduler(
        prediction_type=THEIR_NAME[prediction],
        clip_sample=False,
        timestep_spacing=spacing,
        **({"variance_type": "fixed_small"} if kind == "ddpm" else {"set_alpha_to_one": True}),
    )
    reference.alphas_cumprod = table
    reference.set_timesteps(num_steps)
    return reference


WALKS = [
    ("linear", False, "eps", "leading", 1000),
    ("scaled_linear", True, "v", "trailing", 1000),
    ("cosine", False, "x_0", "linspace", 1000),
    ("cosine", True, "v", "trailing", 50),
    ("scaled_linear", False, "eps", "leading", 40),
]


@pytest.mark.parametrize(("schedule", "zero", "prediction", "spacing", "num_steps"), WALKS)
def test_every_ddpm_step_is_that_of_diffusers(theirs, schedule, zero, prediction, spacing, num_steps) -> None:
    table = alphas_cumprod(schedule, zero_terminal=zero)
    reference = compared(theirs["ddpm"], table, prediction, "ddpm", spacing, num_steps)
    steps = timesteps(1000, num_steps, spacing)
    states, outputs = walked(ddpm, table, prediction, steps)
    g = torch.Generator().manual_seed(1)
    for i, t in enumerate(steps):
        # At a last step other than 0 it multiplies the noise by 1e-10.
        expected = reference.step(outputs[i], t, states[i], generator=g).prev_sample
        torch.testing.assert_close(states[i + 1], expected, atol=1e-6, rtol=1e-9)


@pytest.mark.parametrize("num_steps", [37, 3])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_respaced_ddpm_is_that_of_diffusers(theirs, spacing, num_steps) -> None:
    table = alphas_cumprod("linear")
    reference = compared(theirs["ddpm"], table, "v", "ddpm", spacing, num_steps)
    steps = timesteps(1000, num_steps, spacing)
    states, outputs = walked(ddpm, table, "v", steps)
    g = torch.Generator().manual_seed(1)
    for i, t in enumerate(steps):
        expected = reference.step(outputs[i], t, states[i], generator=g).prev_sample
        torch.testing.assert_close(states[i + 1], expected, atol=1e-6, rtol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("schedule", "zero", "prediction", "spacing", "num_steps"), WALKS)
def test_every_ddim_step_is_that_of_diffusers(theirs, schedule, zero, prediction, spacing, num_steps, eta) -> None:
    table = alphas_cumprod(schedule, zero_terminal=zero)
    reference = compared(theirs["ddim"], table, prediction, "ddim", spacing, num_steps)
    steps = timesteps(1000, num_steps, spacing)
    states, outputs = walked(ddim, table, prediction, steps, eta=eta)
    draw = noise(1)
    for i, t in enumerate(steps):
        fresh = draw(states[i]) if eta and i + 1 < len(steps) else torch.zeros_like(states[i])
        expected = reference.step(outputs[i], t, states[i], eta=eta, variance_noise=fresh).prev_sample
        torch.testing.assert_close(states[i + 1], expected, atol=1e-6, rtol=1e-9)


@pytest.mark.parametrize("num_steps", [1, 2, 25, 1000])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("schedule", KINDS)
def test_an_oracle_leads_back_to_x_0(schedule, zero, spacing, num_steps) -> None:
    table = alphas_cumprod(schedule, zero_terminal=zero)
    steps = timesteps(1000, num_steps, spacing)
    x_0, x_T = (noise(s)(torch.empty(SHAPE)) for s in (3, 4))  # noqa: N806
    assert torch.equal(ddpm(lambda x, t: x_0, x_T, table, steps=steps, draw=noise()), x_0)
    assert torch.equal(ddim(lambda x, t: x_0, x_T, table, steps=steps, draw=refuse), x_0)
    assert torch.equal(ddim(lambda x, t: x_0, x_T, table, steps=steps, eta=1.0, draw=noise()), x_0)


@pytest.mark.parametrize("num_steps", [20, 1000])
@pytest.mark.parametrize("zero", [False, True])
def test_ddim_with_eta_one_is_ddpm(zero, num_steps) -> None:
    table = alphas_cumprod("scaled_linear", zero_terminal=zero)
    steps = timesteps(1000, num_steps)
    ancestral, _ = walked(ddpm, table, "v", steps)
    implicit, _ = walked(ddim, table, "v", steps, eta=1.0)
    torch.testing.assert_close(torch.stack(implicit), torch.stack(ancestral), atol=1e-9, rtol=0)


MEAN, DEVIATION = 0.7, 0.4


def optimal(table):
    """E[x_0 | x_t] where the data are N(MEAN, DEVIATION^2)."""

    def denoise(x_t, t):
        signal, variance = math.sqrt(table[t]), DEVIATION**2
        gain = variance * signal / (variance * float(table[t]) + 1 - float(table[t]))
        return MEAN + gain * (x_t - signal * MEAN)

    return denoise


def test_ddpm_and_stochastic_ddim_draw_from_the_data() -> None:
    table = alphas_cumprod("linear")
    walk = {"steps": timesteps(1000, 1000)}
    x_T = noise(8)(torch.empty(2, 40_000, dtype=torch.float64))  # noqa: N806
    drawn = [
        ddpm(optimal(table), x_T[0], table, draw=noise(5), **walk),
        ddim(optimal(table), x_T[1], table, eta=1.0, draw=noise(6), **walk),
    ]
    for x in drawn:
        assert x.mean().item() == pytest.approx(MEAN, abs=0.01)
        assert x.std().item() == pytest.approx(DEVIATION, rel=0.02)
    assert drawn[0].mean().item() == pytest.approx(drawn[1].mean().item(), abs=0.015)
    assert drawn[0].std().item() == pytest.approx(drawn[1].std().item(), rel=0.03)


def test_deterministic_ddim_carries_noise_to_data_quantile_by_quantile() -> None:
    table = alphas_cumprod("cosine", zero_terminal=True)
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    x = ddim(optimal(table), z, table, steps=timesteps(1000, 1000), draw=refuse)
    torch.testing.assert_close(x, MEAN + DEVIATION * z, atol=0.01, rtol=0)


@pytest.mark.parametrize("sampler", [ddpm, ddim])
def test_progress_is_told_once_a_step_and_noise_is_drawn_between(sampler) -> None:
    heard, draws = [], []

    def draw(like):
        draws.append(like.shape)
        return torch.zeros_like(like)

    options = {"eta": 1.0} if sampler is ddim else {}
    sampler(
        lambda x, t: x,
        torch.ones(1, 2),
        alphas_cumprod("linear"),
        steps=timesteps(1000, 4),
        draw=draw,
        on_step=heard.append,
        **options,
    )
    assert heard == [1, 2, 3, 4] and len(draws) == 3


@pytest.mark.parametrize("sampler", [ddpm, ddim])
def test_the_walk_keeps_its_dtype_and_builds_no_graph(sampler) -> None:
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    x = sampler(
        lambda x, t: x * weight,
        torch.ones(1, 2),
        alphas_cumprod("linear"),
        steps=[999, 0],
        draw=lambda like: torch.zeros_like(like),
    )
    assert x.dtype == torch.float32 and not x.requires_grad


@pytest.mark.parametrize("sampler", [ddpm, ddim])
def test_the_walk_never_waits_for_a_device(sampler) -> None:
    # Tensors on "meta" have no values: whatever asks for one fails, as it would stall an accelerator.
    table = alphas_cumprod("linear")
    denoise = x0_denoiser(lambda x, t: x, table, "v", clip=1.0)
    x_T = torch.empty(2, 3, device="meta")  # noqa: N806
    assert sampler(denoise, x_T, table, steps=[999, 500, 0], draw=torch.empty_like).device.type == "meta"


@pytest.mark.parametrize("sampler", [ddpm, ddim])
def test_unusable_steps_are_refused(sampler) -> None:
    with pytest.raises(ValueError, match="descend"):
        sampler(lambda x, t: x, torch.ones(1, 2), alphas_cumprod("linear"), steps=[0, 999], draw=refuse)
