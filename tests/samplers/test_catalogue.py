"""What every sampler does alike."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.catalogue import SAMPLERS, default_num_steps, default_sampler
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import timesteps
from tests.worlds.sampling import SHAPE, noise, refuse

every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def test_the_names_are_the_fields() -> None:
    assert list(SAMPLERS) == ["ddpm", "ddim", "dpm++", "euler"]


@pytest.mark.parametrize(
    ("prediction", "sampler", "number"), [("eps", "ddpm", 1000), ("v", "ddpm", 1000), ("flow", "euler", 4)]
)
def test_flow_is_drawn_in_four_steps_and_the_others_in_all(prediction, sampler, number) -> None:
    assert default_sampler(prediction, all_steps=True) == sampler
    assert default_num_steps(sampler, prediction, 1000) == number
    assert default_sampler(prediction, all_steps=False) == ("euler" if prediction == "flow" else "ddim")


def test_default_numbers_fit_the_sampler_and_short_schedules() -> None:
    assert [default_num_steps(name, "eps", 1000) for name in SAMPLERS] == [1000, 50, 20, 50]
    assert [default_num_steps(name, "flow", 1000) for name in SAMPLERS] == [1000, 4, 4, 4]
    assert [default_num_steps(name, "v", 10) for name in SAMPLERS] == [10, 10, 10, 10]


@pytest.mark.parametrize("num_steps", [1, 2, 25, 100])
@pytest.mark.parametrize("spacing", ["linspace", "trailing", "leading"])
@pytest.mark.parametrize(("schedule", "zero"), [("linear", False), ("cosine", True), ("flow", False)])
@every_sampler
def test_an_oracle_leads_back_to_x_0(sampler, schedule, zero, spacing, num_steps) -> None:
    table = alphas_cumprod(schedule, 100, zero_terminal=zero)
    x_0, x_T = (noise(s)(torch.empty(SHAPE)) for s in (3, 4))  # noqa: N806
    x = sampler(lambda x, t: x_0, x_T, table, steps=timesteps(100, num_steps, spacing), draw=noise())
    # All but Euler's end in x_0 itself, to the bit.
    torch.testing.assert_close(x, x_0, atol=1e-6, rtol=0)


@every_sampler
def test_progress_is_told_once_a_step(sampler) -> None:
    heard = []
    options = {"steps": timesteps(1000, 4), "draw": torch.zeros_like, "on_step": heard.append}
    sampler(lambda x, t: x, torch.ones(1, 2), alphas_cumprod("linear"), **options)
    assert heard == [1, 2, 3, 4]


@pytest.mark.parametrize(("name", "asked"), [("ddpm", 3), ("ddim", 0), ("dpm++", 0), ("euler", 0)])
def test_noise_is_drawn_between_steps_or_never(name, asked) -> None:
    draws = []

    def draw(like):
        draws.append(like.shape)
        return torch.zeros_like(like)

    walk = {"steps": timesteps(1000, 4), "draw": draw}
    SAMPLERS[name](lambda x, t: x, torch.ones(1, 2), alphas_cumprod("linear"), **walk)
    assert len(draws) == asked


@every_sampler
def test_the_walk_keeps_its_dtype_and_builds_no_graph(sampler) -> None:
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    walk = {"steps": [999, 0], "draw": torch.zeros_like}
    x = sampler(lambda x, t: x * weight, torch.ones(1, 2), alphas_cumprod("linear"), **walk)
    assert x.dtype == torch.float32 and not x.requires_grad


@every_sampler
def test_the_walk_never_waits_for_a_device(sampler) -> None:
    # Tensors on "meta" have no values: whatever asks for one fails, as it would stall an accelerator.
    table = alphas_cumprod("linear")
    denoise = x0_denoiser(lambda x, t: x, table, "v", clip=1.0)
    x_T = torch.empty(2, 3, device="meta")  # noqa: N806
    assert sampler(denoise, x_T, table, steps=[999, 500, 0], draw=torch.empty_like).device.type == "meta"


@every_sampler
def test_unusable_steps_are_refused(sampler) -> None:
    with pytest.raises(ValueError, match="descend"):
        sampler(lambda x, t: x, torch.ones(1, 2), alphas_cumprod("linear"), steps=[0, 999], draw=refuse)
