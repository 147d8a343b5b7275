"""The noise schedule and the grid of steps as the schedulers of ``diffusers`` configure them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rsforge.models.pretrained.json_files import ANY, Neutral, check_keys, unsupported_error
from rsforge.noise.process import Prediction
from rsforge.noise.schedules import BETA_ENDS

PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "v_prediction": "v", "sample": "x_0"}
KINDS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
SPACINGS = ("linspace", "leading", "trailing")
STEPS_OFFSET = 1
TAKEN = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type",
    "timestep_spacing", "steps_offset", "set_alpha_to_one", "rescale_betas_zero_snr", "final_sigmas_type",
    "clip_sample",
)  # fmt: skip
NEUTRAL: Neutral = {
    "thresholding": (False,),
    "clip_sample_range": ANY,  # these three belong to what is off
    "sample_max_value": ANY,
    "dynamic_thresholding_ratio": ANY,
    "skip_prk_steps": ANY,  # how PNDM begins; it is not among the samplers here
    "variance_type": (None, "fixed_small"),
    "interpolation_type": ("linear",),
    "timestep_type": ("discrete",),
    "sigma_min": (None,),
    "sigma_max": (None,),
    "use_karras_sigmas": (False, None),
    "use_exponential_sigmas": (False, None),
    "use_beta_sigmas": (False, None),
    "use_lu_lambdas": (False, None),
    "use_flow_sigmas": (False, None),
    "flow_shift": ANY,
    "use_dynamic_shifting": (False,),
    "time_shift_type": ANY,
    "algorithm_type": ("dpmsolver++",),
    "solver_order": (2,),
    "solver_type": ("midpoint",),
    "lower_order_final": (True,),
    "euler_at_final": (False,),
    "lambda_min_clipped": (float("-inf"),),
}


@dataclass(frozen=True)
class _Kind:
    """How a scheduler of diffusers spaces its steps and ends, where its configuration says nothing."""

    spacing: str
    sampler: str
    end_key: str = ""
    ends_at_data: bool = True
    rescales: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)


_UNCLIPPED = {"clip_sample": False, "thresholding": False}
SCHEDULERS = {
    "DDIMScheduler": _Kind("leading", "ddim", "set_alpha_to_one", fixed=_UNCLIPPED),
    "PNDMScheduler": _Kind(
        "leading", "ddim", "set_alpha_to_one", ends_at_data=False, rescales=False, fixed={"skip_prk_steps": True}
    ),
    "DDPMScheduler": _Kind("leading", "ddpm", fixed=_UNCLIPPED),
    "EulerDiscreteScheduler": _Kind("linspace", "euler", "final_sigmas_type"),
    "EulerAncestralDiscreteScheduler": _Kind("linspace", "ddpm"),
    "LMSDiscreteScheduler": _Kind("linspace", "euler", rescales=False),
    "DPMSolverMultistepScheduler": _Kind("linspace", "dpm++", "final_sigmas_type"),
}

DRAWN_AS = {"PNDMScheduler": "DDIMScheduler", "LMSDiscreteScheduler": "EulerDiscreteScheduler"}
"""Methods of several steps, and that of one step with the same grid."""


@dataclass(frozen=True)
class ForeignSchedule:
    """What a scheduler's configuration says: our ``schedule`` as checkpoints store it, and what the network predicts.

    ``scheduler`` is the class that its configuration names, ``sampler`` the one here that is nearest to it. ``notes``
    are sentences for the user on what is taken otherwise than it is written.
    """

    schedule: dict[str, Any]
    prediction: Prediction
    scheduler: str = "DDIMScheduler"
    notes: tuple[str, ...] = ()

    @property
    def sampler(self) -> str:
        return SCHEDULERS[self.scheduler].sampler


def read_schedule(config: Mapping[str, Any], *, where: str) -> ForeignSchedule:
    """The schedule of a configuration; RSF-C004 for a scheduler, a key or a value that would draw otherwise than here.

    As ``StableDiffusionPipeline`` does, ``steps_offset`` is taken as 1 and ``clip_sample`` as false, whatever is
    written: it corrects both when it loads a model.
    """
    name = config.get("_class_name")
    if not isinstance(name, str) or name not in SCHEDULERS:
        raise unsupported_error(f"the scheduler {name} is not supported", where=where)
    check_keys(config, TAKEN, NEUTRAL, where=where)
    schedule, kind = _read_betas(config, where), SCHEDULERS[name]
    schedule["zero_terminal_snr"] = bool(config.get("rescale_betas_zero_snr", False))
    if schedule["zero_terminal_snr"] and not kind.rescales:
        raise unsupported_error(f"rescale_betas_zero_snr is no key of {name}", where=where)
    schedule["spacing"] = _choose(config, "timestep_spacing", kind.spacing, dict.fromkeys(SPACINGS), where)
    schedule["steps_offset"] = STEPS_OFFSET
    schedule["set_alpha_to_one"] = _read_end(config, kind, where)
    prediction = _choose(config, "prediction_type", "epsilon", PREDICTIONS, where)
    return ForeignSchedule(schedule, PREDICTIONS[prediction], name, tuple(_list_notes(config, schedule["spacing"])))


def _read_betas(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    steps = config.get("num_train_timesteps", 1000)
    if isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= 1 << 16:
        raise unsupported_error(f"num_train_timesteps {steps!r} is not 2 to 65536", where=where)
    if (betas := config.get("trained_betas")) is not None:
        if not isinstance(betas, list) or len(betas) < 2 or not all(_is_share(beta) for beta in betas):
            raise unsupported_error("trained_betas are not numbers between 0 and 1", where=where)
        return {"kind": "linear", "timesteps": len(betas), "trained_betas": betas}
    kind = KINDS[_choose(config, "beta_schedule", "linear", KINDS, where)]
    schedule: dict[str, Any] = {"kind": kind, "timesteps": steps}
    if kind == "cosine":
        return schedule
    ends = {"beta_start": config.get("beta_start", 1e-4), "beta_end": config.get("beta_end", 0.02)}
    for key, value in ends.items():
        if not _is_share(value):
            raise unsupported_error(f"{key} {value!r} is not between 0 and 1", where=where)
    return schedule | ends


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _choose(config: Mapping[str, Any], key: str, default: str, known: Mapping[str, Any], where: str) -> str:
    value = config.get(key, default)
    if not isinstance(value, str) or value not in known:
        raise unsupported_error(f"{key} {value!r} is not supported; known are {', '.join(known)}", where=where)
    return value


def _read_end(config: Mapping[str, Any], kind: _Kind, where: str) -> bool:
    """Whether the last step ends at the data, not at the noise level of timestep 0."""
    if kind.end_key == "set_alpha_to_one":
        return bool(config.get(kind.end_key, kind.ends_at_data))
    if kind.end_key:
        return _choose(config, kind.end_key, "zero", {"zero": 1, "sigma_min": 0}, where) == "zero"
    return True


def _list_notes(config: Mapping[str, Any], spacing: str) -> list[str]:
    notes = []
    if spacing == "leading" and config.get("steps_offset", 0) != STEPS_OFFSET:
        notes.append(f"steps_offset {config.get('steps_offset', 0)} is taken as 1, as StableDiffusionPipeline does")
    if config.get("clip_sample"):
        notes.append("clip_sample is taken as false, as StableDiffusionPipeline does")
    return notes


def as_drawn(foreign: ForeignSchedule) -> ForeignSchedule:
    """``foreign`` with the scheduler of diffusers that walks as is done here, where its own reuses earlier steps."""
    return replace(foreign, scheduler=DRAWN_AS.get(foreign.scheduler, foreign.scheduler))


def write_schedule(foreign: ForeignSchedule) -> dict[str, Any]:
    """The configuration of a scheduler that draws by ``foreign``; RSF-C004 where diffusers has none."""
    schedule, kind = foreign.schedule, SCHEDULERS[foreign.scheduler]
    theirs = {ours: name for name, ours in KINDS.items()}
    predictions = {ours: name for name, ours in PREDICTIONS.items()}
    if foreign.prediction not in predictions or schedule["kind"] not in theirs:
        found = f"{foreign.prediction} on a {schedule['kind']} schedule"
        raise unsupported_error(f"StableDiffusionPipeline cannot draw {found}", where="scheduler")
    spacing, offset = schedule.get("spacing", "linspace"), schedule.get("steps_offset", 0)
    if spacing == "leading" and offset != STEPS_OFFSET:
        raise unsupported_error(f"StableDiffusionPipeline would take steps_offset 1, not {offset}", where="scheduler")
    config = {
        "_class_name": foreign.scheduler,
        "num_train_timesteps": schedule["timesteps"],
        "beta_schedule": theirs[schedule["kind"]],
        "trained_betas": schedule.get("trained_betas"),
        "prediction_type": predictions[foreign.prediction],
        "timestep_spacing": spacing,
        "steps_offset": STEPS_OFFSET,
        **_write_betas(schedule),
        **kind.fixed,
    }
    if schedule.get("zero_terminal_snr"):
        if not kind.rescales:
            raise unsupported_error(f"{foreign.scheduler} has no zero terminal SNR", where="scheduler")
        config["rescale_betas_zero_snr"] = True
    return config | _write_end(schedule, kind, foreign.scheduler)


def _write_betas(schedule: Mapping[str, Any]) -> dict[str, float]:
    ends = BETA_ENDS.get(schedule["kind"], ())
    return {key: schedule.get(key, end) for key, end in zip(("beta_start", "beta_end"), ends, strict=False)}


def _write_end(schedule: Mapping[str, Any], kind: _Kind, scheduler: str) -> dict[str, Any]:
    at_data = schedule.get("set_alpha_to_one", True)
    if kind.end_key == "set_alpha_to_one":
        return {kind.end_key: at_data}
    if kind.end_key:
        return {kind.end_key: "zero" if at_data else "sigma_min"}
    if not at_data:
        raise unsupported_error(f"{scheduler} always ends at the data", where="scheduler")
    return {}
