"""``rsforge info``: what a checkpoint says of itself."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.engine.ema import averaged_weights
from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.recipes.console import Console
from rsforge.recipes.training import output_names
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.tools import InfoSettings
from rsforge.settings.vae import VaeTrainSettings

MODELS: dict[str, type[BaseModel]] = {
    "vae": VaeTrainSettings,
    "diffusion": DiffusionTrainSettings,
    "cyclegan": CycleGanTrainSettings,
}
PLAIN = (
    "image_size", "latent_shape", "prediction", "schedule", "normalisation", "radiometry", "sar_channels", "paired",
    "images",
)  # fmt: skip


def describe(settings: InfoSettings, show: Console) -> dict[str, Any]:
    """What the checkpoint holds of kind, progress, network, data, settings and weights; nothing for what it lacks.

    ``weights`` are the digests of the weights in use, averaged ones where there are any: the identity that a
    diffusion model knows its autoencoder by. ``settings`` are those that its kind's defaults would not give.
    """
    path = settings.checkpoint
    state = checkpoint.load(path)
    told = {
        "checkpoint": str(path),
        "file_mib": round(path.stat().st_size / 2**20, 3),
        "kind": state.get("kind"),
        "format": state["format"],
        "rsforge": state.get("version"),
        **_describe_progress(state),
        **_describe_network(state),
        **{name: state.get(name) for name in PLAIN},
        "latents": _describe_latents(state),
        "vae": _describe_partner(state),
        "weights": {name: _digest_net(state, name) for name in state.get("nets", {})},
        "averaged": bool(_find_part(state, "ema").get("shadow")),
        "nets": sorted(state.get("nets", {})),
        "parts": sorted(name for name, part in state.get("parts", {}).items() if part),
        "settings": dict(_find_changed(state)),
        **_read_run_settings(path, state),
    }
    return {name: value for name, value in told.items() if value not in (None, {}, [])}


def _find_part(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = state.get("parts", {}).get(name, {})
    return part


def _describe_progress(state: Mapping[str, Any]) -> dict[str, Any]:
    progress, best = state.get("progress", {}), _find_part(state, "best")
    told = {"epoch": progress.get("epoch"), "step": progress.get("step"), "stopped": progress.get("finished") or None}
    # Before the objective has its final form the newest epoch stands in as the best, without a figure.
    if math.isfinite(best.get("figure", math.inf)):
        told["best"] = {"epoch": best["epoch"] + 1, "figure": best["figure"]}
    return told


def _describe_network(state: Mapping[str, Any]) -> dict[str, Any]:
    """Architecture and number of parameters, of one network or of each by its name."""
    architecture = state.get("architecture") or {}
    told: dict[str, Any] = {"architecture": state.get("architecture")}
    several = "name" not in architecture
    with contextlib.suppress(RsforgeError), torch.device("meta"):
        counts = (
            {name: _count_parameters(part) for name, part in architecture.items()}
            if several
            else _count_parameters(architecture)
        )
        told["parameters"] = counts
    return told


def _count_parameters(architecture: Mapping[str, Any]) -> int:
    return sum(p.numel() for p in build(architecture).parameters())


def _describe_latents(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """The range over channels of the mean and the deviation that standardise latents."""
    measured = _find_part(state, "own/latents")
    mean, std = (state.get(f"latent_{name}", measured.get(name)) for name in ("mean", "std"))
    if mean is None or std is None:
        return None
    return {"channels": mean.numel(), "mean_range": _value_range(mean), "std_range": _value_range(std)}


def _value_range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]


def _describe_partner(state: Mapping[str, Any]) -> dict[str, Any] | None:
    partner = state.get("vae")
    return partner and {"digest": partner["digest"], "architecture": partner["architecture"]["name"]}


def _digest_net(state: Mapping[str, Any], name: str) -> str:
    return checkpoint.digest_weights(state["nets"][name] | averaged_weights(_find_part(state, "ema"), name))


def _find_changed(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Saved settings that would be otherwise, or impossible, had they not been given."""
    model = MODELS.get(state.get("kind", ""))
    for section, entries in state.get("settings", {}).items():
        field = model.model_fields.get(section) if model else None
        yield from _changed_in_section(field, entries).items() if field else entries.items()


def _changed_in_section(field: FieldInfo, entries: Mapping[str, Any]) -> dict[str, Any]:
    section = cast(type[BaseModel], field.annotation)
    given = {} if field.is_required() else field.get_default().model_dump(exclude_unset=True)

    def made_without(name: str | None) -> dict[str, Any] | None:
        with contextlib.suppress(ValidationError):
            others = {k: v for k, v in entries.items() if k != name}
            return section.model_validate(given | others).model_dump(mode="json")
        return None

    whole = made_without(None)
    return {k: v for k, v in entries.items() if (made := made_without(k)) is None or made != whole}


def _read_run_settings(path: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """The command and versions in settings.json of the same folder, if that tells of this checkpoint's run."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        run = json.loads((path.parent / output_names.SETTINGS).read_text())
        if run.get("settings") == state.get("settings"):
            return {"made_by": run.get("command"), "made_with": run.get("environment")}
    return {}
