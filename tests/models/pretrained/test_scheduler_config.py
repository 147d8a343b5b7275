"""The configuration of schedulers, against the library's schedulers."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.scheduler_config import (
    SCHEDULERS,
    ForeignSchedule,
    as_drawn,
    read_schedule,
    write_schedule,
)
from rsforge.noise.schedules import table_of

SD1 = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "clip_sample": False, "num_train_timesteps": 1000, "set_alpha_to_one": False,
    "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None,
}  # fmt: skip
SD2 = SD1 | {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}
TURBO = {
    "_class_name": "EulerDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "clip_sample": False, "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "epsilon",
    "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "timestep_spacing": "trailing", "timestep_type": "discrete", "trained_betas": None, "use_karras_sigmas": False,
}  # fmt: skip


def test_the_published_configurations_are_read():
    read = {name: read_schedule(config, where="x") for name, config in (("1", SD1), ("2", SD2), ("turbo", TURBO))}
    assert [one.prediction for one in read.values()] == ["eps", "v", "eps"]
    assert [one.sampler for one in read.values()] == ["ddim", "ddim", "euler"]
    assert [one.schedule["spacing"] for one in read.values()] == ["leading", "leading", "trailing"]
    assert [one.schedule["set_alpha_to_one"] for one in read.values()] == [False, False, True]
    assert [one.schedule["steps_offset"] for one in read.values()] == [1, 1, 1]
    assert all(one.notes == () and one.schedule["timesteps"] == 1000 for one in read.values())


BETAS = [
    {"beta_schedule": "linear"},
    {"beta_schedule": "scaled_linear", "beta_start": 0.002, "beta_end": 0.03, "num_train_timesteps": 100},
    {"beta_schedule": "linear", "beta_start": 0.001, "beta_end": 0.01},
    {"beta_schedule": "squaredcos_cap_v2"},
    {"trained_betas": [0.001 * (1 + i % 7) for i in range(60)]},
    {"beta_schedule": "scaled_linear", "rescale_betas_zero_snr": True},
    {},
]


@pytest.mark.parametrize("config", BETAS, ids=range(len(BETAS)))
def test_tables_are_those_of_the_library(diffusers, config):
    theirs = diffusers.DDIMScheduler.from_config(config)
    ours = read_schedule({"_class_name": "DDIMScheduler"} | config, where="x")
    torch.testing.assert_close(table_of(ours.schedule).float(), theirs.alphas_cumprod, atol=2e-6, rtol=1e-4)
    again = diffusers.DDIMScheduler.from_config(write_schedule(ours))
    torch.testing.assert_close(again.alphas_cumprod, theirs.alphas_cumprod, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_a_configuration_leaves_out_is_what_the_library_takes(diffusers, name):
    theirs, ours = getattr(diffusers, name)(), read_schedule({"_class_name": name}, where="x")
    assert ours.schedule["spacing"] == theirs.config.timestep_spacing
    if "set_alpha_to_one" in theirs.config:
        assert ours.schedule["set_alpha_to_one"] == theirs.config.set_alpha_to_one
    torch.testing.assert_close(table_of(ours.schedule).float(), theirs.alphas_cumprod, atol=2e-6, rtol=1e-4)
    assert set(write_schedule(ours)) - {"_class_name"} <= set(theirs.config)
    assert read_schedule(write_schedule(ours), where="x") == ForeignSchedule(
        ours.schedule, ours.prediction, ours.scheduler
    )


@pytest.mark.parametrize("config", [SD1, SD2, TURBO], ids=["1.x", "2.x", "turbo"])
def test_what_is_written_is_read_as_the_same(config):
    read = read_schedule(config, where="x")
    written = write_schedule(read)
    assert read_schedule(written, where="x") == read
    assert {key: written[key] for key in written if key in config} == {
        key: config[key] for key in written if key in config
    }


def test_schedulers_of_several_steps_are_written_as_those_that_walk_as_here():
    read = read_schedule(SD1, where="x")
    written = as_drawn(read)
    assert (read.scheduler, written.scheduler, written.schedule) == ("PNDMScheduler", "DDIMScheduler", read.schedule)
    assert as_drawn(written) == written
    lms = as_drawn(read_schedule({"_class_name": "LMSDiscreteScheduler"}, where="x"))
    assert read_schedule(write_schedule(lms), where="x").scheduler == "EulerDiscreteScheduler"


def test_what_the_pipeline_corrects_is_corrected_and_said():
    read = read_schedule({"_class_name": "DDIMScheduler", "clip_sample": True, "steps_offset": 0}, where="x")
    assert read.schedule["steps_offset"] == 1
    assert len(read.notes) == 2 and "steps_offset 0" in read.notes[0] and "clip_sample" in read.notes[1]
    trailing = {"_class_name": "DDIMScheduler", "steps_offset": 0, "timestep_spacing": "trailing"}
    assert read_schedule(trailing, where="x").notes == ()


REFUSED = [
    ("use_karras_sigmas", True), ("thresholding", True), ("prediction_type", "flow_prediction"),
    ("beta_schedule", "sigmoid"), ("timestep_spacing", "karras"),
    ("variance_type", "learned_range"), ("algorithm_type", "sde-dpmsolver++"),
    ("solver_order", 3), ("_class_name", "LCMScheduler"), ("_class_name", None), ("_class_name", ["DDIMScheduler"]),
    ("_class_name", {}), ("some_new_key", 0.5),
    ("num_train_timesteps", 0), ("num_train_timesteps", True), ("beta_start", "x"), ("beta_end", 2.0),
    ("trained_betas", [0.1, 2.0]), ("trained_betas", "x"), ("prediction_type", 3),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), REFUSED, ids=[f"{key} {value}" for key, value in REFUSED])
def test_keys_that_change_results_are_refused_by_name(key, value):
    with pytest.raises(RsforgeError) as caught:
        read_schedule(SD2 | {key: value}, where="x")
    assert caught.value.code == "RSF-C004"
    assert (key if key != "_class_name" else "scheduler") in caught.value.what


def test_a_key_of_another_scheduler_is_refused():
    with pytest.raises(RsforgeError, match="rescale_betas_zero_snr is no key of PNDMScheduler"):
        read_schedule(SD1 | {"rescale_betas_zero_snr": True}, where="x")


PLAIN = {"kind": "linear", "timesteps": 10}


@pytest.mark.parametrize(
    "foreign",
    [
        ForeignSchedule(PLAIN, "flow"),
        ForeignSchedule(PLAIN | {"kind": "flow"}, "v"),
        ForeignSchedule(PLAIN | {"spacing": "leading", "steps_offset": 0}, "eps"),
        ForeignSchedule(PLAIN | {"zero_terminal_snr": True}, "v", "PNDMScheduler"),
        ForeignSchedule(PLAIN | {"set_alpha_to_one": False}, "eps", "DDPMScheduler"),
    ],
    ids=["flow", "flow schedule", "offset", "zero SNR", "end"],
)
def test_what_no_scheduler_there_draws_is_not_written(foreign):
    with pytest.raises(RsforgeError) as caught:
        write_schedule(foreign)
    assert (caught.value.code, caught.value.where) == ("RSF-C004", "scheduler")


def test_a_schedule_of_ours_is_written_with_its_ends():
    written = write_schedule(ForeignSchedule(PLAIN | {"spacing": "trailing"}, "x_0"))
    assert (written["beta_start"], written["beta_end"]) == (1e-4, 0.02)
    assert (written["prediction_type"], written["set_alpha_to_one"]) == ("sample", True)
