"""``rsforge info``: a description of a checkpoint, from the checkpoint alone."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.engine.early_stopping import find_best_step
from rsforge.engine.ema import averaged_weights
from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.stored_partners import stored_partners
from rsforge.settings.tools import InfoSettings

PLAIN = (
    "image_size", "latent_shape", "prediction", "schedule", "normalisation", "radiometry", "sar_channels", "paired",
    "images", "decided",
)  # fmt: skip
FIXED = {"format", "version", "kind", *PLAIN}
"""Entries that have a line of their own."""


def describe(settings: InfoSettings, console: Console) -> dict[str, Any]:
    """Kind, progress, network, data, settings and weights of a checkpoint, without entries that it does not have.

    ``weights`` are the digests of the weights in use, averaged ones where there are any, by which a diffusion model
    identifies its autoencoder. ``settings`` are those that were given, by options, files or variables.
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
        **_own_words(state),
        "latents": _describe_latents(state),
        "partners": _describe_partners(state),
        "weights": {name: _digest_net(state, name) for name in state.get("nets", {})},
        "averaged": bool(_find_part(state, "ema").get("shadow")),
        "nets": sorted(state.get("nets", {})),
        "parts": sorted(name for name, part in state.get("parts", {}).items() if part),
        "settings": _find_given(state),
        **_read_run_settings(path, state),
    }
    return {name: value for name, value in description.items() if value not in (None, {}, [])}


def _own_words(state: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, words and switches that a method writes into its checkpoints under names of its own."""
    return {k: v for k, v in state.items() if k not in FIXED and isinstance(v, str | int | float)}


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
        step = find_best_step(best)
        known = {} if step is None else {"step": step}
        description["best"] = {"epoch": best["epoch"] + 1, **known, "figure": best["figure"]}
    return description


def _describe_network(state: Mapping[str, Any]) -> dict[str, Any]:
    """Architecture and number of parameters, of one network or of several by name; numbers only of known networks."""
    architecture = state.get("architecture") or {}
    description: dict[str, Any] = {"architecture": _shorten(state.get("architecture"))}
    is_single = "name" in architecture
    with contextlib.suppress(RsforgeError), torch.device("meta"):
        if is_single:
            description["parameters"] = _count_parameters(architecture)
        else:
            counts = {name: _count_parameters(part) for name, part in architecture.items()}
            description["parameters"] = counts
    return description


def _shorten(architecture: Any) -> Any:
    """The architecture, with the number of the layers of an adapter in place of their names."""
    if not isinstance(architecture, Mapping):
        return architecture
    return {
        name: len(value) if name == "layers" and isinstance(value, Mapping) else _shorten(value)
        for name, value in architecture.items()
    }


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


def _describe_partners(state: Mapping[str, Any]) -> dict[str, Any]:
    """Digest and path of each model that this one builds on, by role."""
    return {role: dict(one) for role, one in stored_partners(state).items()}


def _digest_net(state: Mapping[str, Any], name: str) -> str:
    return checkpoint.digest_weights(state["nets"][name] | averaged_weights(_find_part(state, "ema"), name))


def _find_given(state: Mapping[str, Any]) -> dict[str, Any]:
    """The stored settings that somebody gave, by flat name; all of them where the checkpoint does not say which."""
    settings = flatten_all(state.get("settings", {}))
    if "given" not in state:
        return settings
    return {name: value for name, value in settings.items() if name in state["given"]}


def flatten_all(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of all sections by their own names."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat


def _read_run_settings(path: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """Command and versions from settings.json in the folder of the checkpoint, if it is that of the same run."""
    for folder in (path.parent, path.parent.parent):  # periodic ones may lie in a folder of their own
        with contextlib.suppress(OSError, ValueError, RecursionError, AttributeError):
            run = json.loads((folder / output_names.SETTINGS).read_text())
            if run.get("settings") == state.get("settings"):
                made_by = {"made_by": run.get("command"), "resumed_by": run.get("resumed_by")}
                return {**made_by, "made_with": run.get("environment")}
    return {}
