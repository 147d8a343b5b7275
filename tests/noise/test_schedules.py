"""Tables agree with diffusers, fall strictly, and keep what the papers promise."""

from __future__ import annotations

import warnings

import pytest
import torch

from rsforge.noise import schedules
from rsforge.noise.process import path_time
from rsforge.noise.schedules import alphas_cumprod, table_of, trained_alphas_cumprod, zero_terminal_snr

KINDS = ["linear", "scaled_linear", "cosine"]


@pytest.fixture(scope="module")
def ddpm_scheduler():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import DDPMScheduler
    return DDPMScheduler


@pytest.mark.parametrize("zero_terminal", [False, True])
@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("linear", {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
        ("scaled_linear", {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}),
        ("cosine", {"beta_schedule": "squaredcos_cap_v2"}),
    ],
)
def test_tables_agree_with_diffusers_at_every_timestep(ddpm_scheduler, kind, theirs, zero_terminal) -> None:
    reference = ddpm_scheduler(**theirs, rescale_betas_zero_snr=zero_terminal).alphas_cumprod.double()
    ours = alphas_cumprod(kind, 1000, zero_terminal=zero_terminal)
    assert ours.shape == (1000,) and ours.dtype == torch.float64
    torch.testing.assert_close(ours, reference, atol=1e-6, rtol=0)
    # The reference counts in float32, where small products lose relative precision.
    torch.testing.assert_close(ours[:900], reference[:900], atol=0, rtol=1e-4)


@pytest.mark.parametrize("num_steps", [2, 10, 1000])
@pytest.mark.parametrize("zero_terminal", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_signal_falls_strictly_and_is_never_whole(kind, zero_terminal, num_steps) -> None:
    table = alphas_cumprod(kind, num_steps, zero_terminal=zero_terminal)
    assert len(table) == num_steps and (table.diff() < 0).all()
    assert table[0] < 1 and (table[-1] == 0 if zero_terminal else table[-1] > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_terminal_keeps_the_first_value_and_reaches_exactly_zero(kind) -> None:
    before = alphas_cumprod(kind)
    after = zero_terminal_snr(before)
    torch.testing.assert_close(after[0], before[0], atol=0, rtol=1e-14)
    assert after[-1].item() == 0.0 and (after[1:] < before[1:]).all()


def test_betas_have_their_ends() -> None:
    for betas, start, end in [
        (schedules.linear_betas(), 1e-4, 0.02),
        (schedules.scaled_linear_betas(1000), 0.00085, 0.012),
    ]:
        torch.testing.assert_close(betas[[0, -1]], torch.tensor([start, end], dtype=torch.float64))
    assert (schedules.linear_betas().diff() - schedules.linear_betas().diff()[0]).abs().max() < 1e-12
    roots = schedules.scaled_linear_betas(1000).sqrt().diff()
    assert (roots - roots[0]).abs().max() < 1e-12


@pytest.mark.parametrize("kind", ["linear", "scaled_linear"])
def test_tables_of_other_ends_agree_with_diffusers(ddpm_scheduler, kind) -> None:
    ends = {"beta_start": 0.002, "beta_end": 0.03}
    reference = ddpm_scheduler(beta_schedule=kind, num_train_timesteps=100, **ends).alphas_cumprod.double()
    torch.testing.assert_close(alphas_cumprod(kind, 100, **ends), reference, atol=1e-6, rtol=0)
    schedule = {"kind": kind, "timesteps": 100, **ends}
    assert torch.equal(table_of(schedule), alphas_cumprod(kind, 100, **ends))
    without = table_of({"kind": kind, "timesteps": 100})
    assert torch.equal(without, alphas_cumprod(kind, 100)) and not torch.allclose(without, table_of(schedule))


def test_cosine_is_recomputed_after_clipping() -> None:
    table = schedules.cosine_alphas_cumprod(1000)
    torch.testing.assert_close(table[-1] / table[-2], torch.tensor(1e-3, dtype=torch.float64))
    assert table[-1] > 1e-9
    assert (1 - table[1:] / table[:-1]).max() <= 0.999 + 1e-12


def test_flow_is_the_straight_path_at_equal_times() -> None:
    table = alphas_cumprod("flow", 1000)
    torch.testing.assert_close(path_time(table), torch.arange(1, 1001, dtype=torch.float64) / 1000, atol=1e-12, rtol=0)
    assert table[-1].item() == 0.0 and (table.diff() < 0).all()
    torch.testing.assert_close(alphas_cumprod("flow", 1000, zero_terminal=True), table, atol=1e-15, rtol=0)


def test_what_is_no_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"quadratic.*cosine, flow, linear, scaled_linear"):
        alphas_cumprod("quadratic")
    with pytest.raises(ValueError, match="at least 2"):
        alphas_cumprod("linear", 1)


def test_trained_betas_give_the_table_of_diffusers(ddpm_scheduler) -> None:
    betas = (0.01 + 0.005 * torch.linspace(0, 9, 500).sin()).tolist()
    reference = ddpm_scheduler(num_train_timesteps=500, trained_betas=betas).alphas_cumprod.double()
    torch.testing.assert_close(trained_alphas_cumprod(betas), reference, atol=1e-6, rtol=0)


@pytest.mark.parametrize("betas", [[], [0.1], [0.1, 0.0], [0.1, 1.0], [0.1, float("nan")]])
def test_betas_outside_their_range_are_refused(betas) -> None:
    with pytest.raises(ValueError, match="trained betas"):
        trained_alphas_cumprod(betas)


def test_a_table_comes_back_from_what_a_checkpoint_says() -> None:
    said = {"kind": "cosine", "timesteps": 50, "zero_terminal_snr": True}
    assert torch.equal(table_of(said), alphas_cumprod("cosine", 50, zero_terminal=True))
    betas = [0.1, 0.2, 0.3]
    assert torch.equal(table_of({"kind": "linear", "trained_betas": betas}), trained_alphas_cumprod(betas))
    zero = table_of({"trained_betas": betas, "zero_terminal_snr": True})
    assert torch.equal(zero, zero_terminal_snr(trained_alphas_cumprod(betas)))
