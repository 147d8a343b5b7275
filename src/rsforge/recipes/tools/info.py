"""``rsforge info``: a description of a checkpoint, from the checkpoint alone."""

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
    """Kind, progress, network, data, settings and weights of a checkpoint, without entries that it does not have.

    ``weights`` are the digests of the weights in use, averaged ones where there are any, by which a diffusion model
    identifies its autoencoder. ``settings`` are those that differ from the defaults of the kind.
    """
    path = settings.checkpoint
    state = checkpoint.load(path)
    description = {
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
    return {name: value for name, value in description.items() if value not in (None, {}, [])}


def _find_part(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = state.get("parts", {}).get(name, {})
    return part


def _describe_progress(state: Mapping[str, Any]) -> dict[str, Any]:
    progress = state.get("progress", {})
    best = _find_part(state, "best")
    description = {
        "epoch": progress.get("epoch"),
        "step": progress.get("step"),
        "stopped": progress.get("finished") or None,
    }
    # Until the objective has its final form the newest epoch is stored as the best, without a figure.
    if math.isfinite(best.get("figure", math.inf)):
        description["best"] = {"epoch": best["epoch"] + 1, "figure": best["figure"]}
    return description


def _describe_network(state: Mapping[str, Any]) -> dict[str, Any]:
    """Architecture and number of parameters, of one network or of several by name; numbers only of known networks."""
    architecture = state.get("architecture") or {}
    description: dict[str, Any] = {"architecture": state.get("architecture")}
    is_single = "name" in architecture
    with contextlib.suppress(RsforgeError), torch.device("meta"):
        if is_single:
            description["parameters"] = _count_parameters(architecture)
        else:
            counts = {name: _count_parameters(part) for name, part in architecture.items()}
            description["parameters"] = counts
    return description


def _count_parameters(architecture: Mapping[str, Any]) -> int:
    return sum(p.numel() for p in build(architecture).parameters())


def _describe_latents(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """The range over channels of the mean and the deviation that standardise latents."""
    measured = _find_part(state, "own/latents")
    mean = state.get("latent_mean", measured.get("mean"))
    std = state.get("latent_std", measured.get("std"))
    if mean is None or std is None:
        return None
    return {"channels": mean.numel(), "mean_range": _value_range(mean), "std_range": _value_range(std)}


def _value_range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]


def _describe_partner(state: Mapping[str, Any]) -> dict[str, Any] | None:
    partner = state.get("vae")
    if not partner:
        return None
    return {"digest": partner["digest"], "architecture": partner["architecture"]["name"]}


def _digest_net(state: Mapping[str, Any], name: str) -> str:
    return checkpoint.digest_weights(state["nets"][name] | averaged_weights(_find_part(state, "ema"), name))


def _find_changed(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The stored settings whose omission would change the settings of the command, or make them invalid."""
    model = MODELS.get(state.get("kind", ""))
    for section, entries in state.get("settings", {}).items():
        field = model.model_fields.get(section) if model else None
        changed = _changed_in_section(field, entries) if field else entries
        yield from changed.items()


def _changed_in_section(field: FieldInfo, entries: Mapping[str, Any]) -> dict[str, Any]:
    section = cast(type[BaseModel], field.annotation)
    given = {} if field.is_required() else field.get_default().model_dump(exclude_unset=True)

    def validate_without(name: str | None) -> dict[str, Any] | None:
        """The settings of the section without one entry; None where they are invalid then."""
        with contextlib.suppress(ValidationError):
            others = {k: v for k, v in entries.items() if k != name}
            return section.model_validate(given | others).model_dump(mode="json")
        return None

    complete = validate_without(None)
    changed = {}
    for name, value in entries.items():
        reduced = validate_without(name)
        if reduced is None or reduced != complete:
            changed[name] = value
    return changed


def _read_run_settings(path: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """Command and versions from settings.json in the folder of the checkpoint, if it is that of the same run."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        run = json.loads((path.parent / output_names.SETTINGS).read_text())
        if run.get("settings") == state.get("settings"):
            return {"made_by": run.get("command"), "made_with": run.get("environment")}
    return {}
