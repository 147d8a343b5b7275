"""Both stages and the response of the sensor, checked against each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.cubes.spectral_response import named_weights
from rsforge.data.spectra.patch_files import describe_other_response
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.hsi.band_facts import BandFacts, require_same
from rsforge.recipes.hsi.load import SpatialModel, SpectralModel, load_spatial, load_spectral
from rsforge.recipes.hsi.prediction import Stages
from rsforge.recipes.stored_partners import stored_partners
from rsforge.settings.hsi_predict import HsiPredictSettings

MOST_PERIOD = 8
"""Coarse pixels of one period of a scale that projections take: 2 of 15/2; as many squared have to be met together."""


def load_stages(settings: HsiPredictSettings, device: torch.device, console: Console) -> Stages:
    """The networks of the checkpoints; RSF-C006 for stages of other bands or units, RSF-U005 without a response."""
    spectral = load_spectral(settings.stage1_checkpoint, device)
    spatial = None
    if settings.stage2_checkpoint is not None:
        spatial = load_spatial(settings.stage2_checkpoint, device)
        _check_pair(spectral, spatial, settings, console)
    if settings.sensor and not settings.project:
        console.warn("--sensor is not used: only --project needs a response")
    stages = Stages(spectral, spatial)
    if settings.project:
        stages = allow_projection(stages, settings.stage1_checkpoint, settings.sensor)
        _warn_of_other_response(stages, settings.sensor, console)
    return stages


def _check_pair(first: SpectralModel, second: SpatialModel, settings: HsiPredictSettings, console: Console) -> None:
    fix = "name the stage 2 that was trained on this stage 1"
    facts = BandFacts.of_stage1(first), BandFacts.of_stage2(second)
    require_same(*facts, where=str(settings.stage2_checkpoint), fix=fix)
    partner = stored_partners(second.loaded.state).get("stage1")
    if partner and partner["digest"] != first.loaded.digest:
        console.warn("stage 2 was trained on predictions of another stage 1 than this")


def _warn_of_other_response(stages: Stages, sensor: str | None, console: Console) -> None:
    """Say that predictions are moved to what another sensor would measure than that of the training."""
    state, response = stages.spectral.loaded.state, stages.response
    if sensor is None or response is None or not state.get("response"):
        return
    stored, axis = np.array(state["response"], float), stages.spectral.wavelength_nm
    if found := describe_other_response(stored, response.numpy(), axis, axis):
        console.warn(f"--sensor {sensor} has another response than the patches of the training ({found})")


def allow_projection(stages: Stages, stage1_checkpoint: Path, sensor: str | None = None) -> Stages:
    """The same with the response of ``sensor``, or of the sensor of the training; RSF-U005 where that cannot be had."""
    response, spatial = _load_weights(stages.spectral, str(stage1_checkpoint), sensor), stages.spatial
    if spatial is not None and spatial.scale.denominator > MOST_PERIOD:
        what = f"a scale of {spatial.scale} has too long a period for projections"
        raise RsforgeError("RSF-U005", what, where="--project, --stage2-checkpoint", fix="leave --project out")
    return replace(stages, response=response)


def _load_weights(model: SpectralModel, where: str, sensor: str | None) -> Tensor:
    """Weights ``(in, bands)`` of the sensor's bands at the wavelengths of the checkpoint, rows of sum 1.

    Without ``sensor`` they are those with which the patches of the training were simulated, where these say so.
    """
    state = model.loaded.state
    if sensor is None and state.get("response"):
        return _read_response(state["response"], model, where)
    if model.wavelength_nm is None:
        what = "the checkpoint knows no wavelengths, so what Landsat would measure of a spectrum is not known"
        raise RsforgeError("RSF-U005", what, where="--project", found=where, fix="train on files with wavelengths")
    sensor = sensor or state.get("sensor", "")
    if not sensor:
        what = "the checkpoint does not say which sensor it was trained for"
        raise RsforgeError("RSF-U005", what, where="--project", found=where, fix="name the sensor with --sensor")
    names, count = state.get("landsat_names") or (), model.ridge.weight.shape[1]
    return torch.from_numpy(named_weights(sensor, names, count, model.wavelength_nm, where=where))


def _read_response(stored: Any, model: SpectralModel, where: str) -> Tensor:
    """The stored weights; RSF-C003 where they are damaged."""
    try:
        weights = torch.tensor(stored, dtype=torch.float64)
    except (TypeError, ValueError):
        weights = torch.empty(0)
    if weights.shape != model.ridge.weight.T.shape or not weights.isfinite().all():
        found = f"weights of shape {tuple(weights.shape)}"
        raise RsforgeError("RSF-C003", "response of this checkpoint does not fit", where=where, found=found)
    return weights
