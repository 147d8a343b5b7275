"""Which timesteps are visited, and where a walk ends."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rsforge.samplers.timesteps import StepGrid, default_spacing, step_table, timesteps

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


@pytest.mark.parametrize("offset", [0, 1, 19])
def test_an_offset_shifts_leading_alone(scheduler, offset) -> None:
    reference = scheduler(timestep_spacing="leading", steps_offset=offset)
    reference.set_timesteps(50)
    assert timesteps(1000, 50, "leading", steps_offset=offset) == reference.timesteps.tolist()
    for spacing in ("linspace", "trailing"):
        assert timesteps(1000, 50, spacing, steps_offset=offset) == timesteps(1000, 50, spacing)


@pytest.mark.parametrize(("num_steps", "offset"), [(1000, 1), (50, 20), (50, -1)])
def test_an_offset_past_the_table_is_refused(num_steps, offset) -> None:
    with pytest.raises(ValueError, match="steps_offset must be 0 to"):
        timesteps(1000, num_steps, "leading", steps_offset=offset)


def test_a_grid_is_plain_and_comes_back() -> None:
    grid, table = StepGrid("leading", 1, False), torch.tensor([0.9, 0.5])
    assert StepGrid.from_schedule({"kind": "linear", **grid.as_dict()}) == grid
    assert set(map(type, grid.as_dict().values())) == {str, int, bool}
    assert StepGrid.from_schedule({"kind": "linear", "timesteps": 1000}) == StepGrid()
    assert grid.timesteps(1000, 4) == [751, 501, 251, 1]
    assert StepGrid().timesteps(1000, 4) == timesteps(1000, 4)
    assert (grid.final_alpha_bar(table), StepGrid().final_alpha_bar(table)) == (float(table[0]), 1.0)


def test_unusable_numbers_are_refused() -> None:
    for num_steps in (0, -1, 1001):
        with pytest.raises(ValueError, match="1 to 1000"):
            timesteps(1000, num_steps)
    with pytest.raises(ValueError, match="karras"):
        timesteps(1000, 10, "karras")


def test_the_step_table_ends_at_the_data() -> None:
    table = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)
    assert step_table(table, [2, 0]) == [(2, 0.1, 0.9), (0, 0.9, 1.0)]
    assert step_table(table, [1, 0], 0.9) == [(1, 0.5, 0.9), (0, 0.9, 0.9)]
    with pytest.raises(ValueError, match="below that of the last step"):
        step_table(table, [1, 0], 0.8)
    for steps in ([], [0, 2], [1, 1], [3, 0], [1, -1]):
        with pytest.raises(ValueError, match="descend"):
            step_table(table, steps)


def test_models_that_learn_from_pure_noise_walk_evenly_from_it() -> None:
    assert default_spacing("eps", zero_terminal_snr=False) == "linspace"
    assert (
        default_spacing("v", zero_terminal_snr=True) == default_spacing("flow", zero_terminal_snr=False) == "trailing"
    )


@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
@pytest.mark.parametrize("steps", [1, 3, 7, 50])
def test_steps_of_the_solver_are_those_of_the_library(spacing, steps):
    diffusers = pytest.importorskip("diffusers")
    theirs = diffusers.DPMSolverMultistepScheduler(timestep_spacing=spacing, steps_offset=1)
    theirs.set_timesteps(steps)
    grid = StepGrid(spacing, steps_offset=1, solver_drops_last=True)
    assert grid.timesteps(1000, steps, "dpm++") == theirs.timesteps.tolist()
    assert grid.timesteps(1000, steps, "ddim") == timesteps(1000, steps, spacing, steps_offset=1)
    assert "solver_drops_last" not in grid.as_dict()
