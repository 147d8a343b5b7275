"""Both stages and the response of the sensor, checked against each other."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.data.cubes.spectral_response import integrate_response, load_response, require_coverage, select_bands
from rsforge.data.spectra.patch_files import find_other_band
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.hsi.load import SpatialModel, SpectralModel, load_spatial, load_spectral
from rsforge.recipes.hsi.prediction import Stages
from rsforge.recipes.stored_partners import stored_partners
from rsforge.settings.hsi_predict import HsiPredictSettings

MOST_PERIOD = 8
"""Coarse pixels of one period of a scale that projections take: 2 of 15/2; as many squared have to be met together."""


def load_stages(settings: HsiPredictSettings, device: torch.device, console: Console) -> Stages:
    """The networks of the checkpoints; RSF-C006 for stages of different bands, RSF-U005 where there is no response."""
    spectral = load_spectral(settings.stage1_checkpoint, device)
    spatial = None
    if settings.stage2_checkpoint is not None:
        spatial = load_spatial(settings.stage2_checkpoint, device)
        _check_pair(spectral, spatial, settings, console)
    if settings.sensor and not settings.project:
        console.warn("--sensor is not used: only --project needs a response")
    response = _load_weights(spectral, settings) if settings.project else None
    if response is not None and spatial is not None and spatial.scale.denominator > MOST_PERIOD:
        what = f"a scale of {spatial.scale} has too long a period for projections"
        raise RsforgeError("RSF-U005", what, where="--project, --stage2-checkpoint", fix="leave --project out")
    return Stages(spectral, spatial, response)


def _check_pair(first: SpectralModel, second: SpatialModel, settings: HsiPredictSettings, console: Console) -> None:
    bands, others = len(first.network.lowest), len(second.network.lowest)
    wrong = f"stage 1 predicts {bands} bands, stage 2 takes {others}" if bands != others else ""
    if not wrong and first.wavelength_nm is not None and second.wavelength_nm is not None:
        k = find_other_band(first.wavelength_nm, second.wavelength_nm)
        if k is not None:
            wrong = (
                f"band {k + 1} is {first.wavelength_nm[k]:g} nm in stage 1, {second.wavelength_nm[k]:g} nm in stage 2"
            )
    units = [model.loaded.state.get("unit", "") for model in (first, second)]
    if not wrong and all(units) and units[0] != units[1]:
        wrong = f"stage 1 predicts {units[0]}, stage 2 takes {units[1]}"
    if wrong:
        fix = "name the stage 2 that was trained on this stage 1"
        raise RsforgeError("RSF-C006", wrong, where=str(settings.stage2_checkpoint), fix=fix)
    partner = stored_partners(second.loaded.state).get("stage1")
    if partner and partner["digest"] != first.loaded.digest:
        console.warn("stage 2 was trained on predictions of another stage 1 than this")


def _load_weights(model: SpectralModel, settings: HsiPredictSettings) -> Tensor:
    """Weights ``(in, bands)`` of the sensor's bands at the wavelengths of the checkpoint, rows of sum 1."""
    state, where = model.loaded.state, str(settings.stage1_checkpoint)
    if model.wavelength_nm is None:
        what = "the checkpoint knows no wavelengths, so what Landsat would measure of a spectrum is not known"
        raise RsforgeError("RSF-U005", what, where="--project", found=where, fix="train on files with wavelengths")
    sensor = settings.sensor or state.get("sensor", "")
    if not sensor:
        what = "the checkpoint does not say which sensor it was trained for"
        raise RsforgeError("RSF-U005", what, where="--project", found=where, fix="name the sensor with --sensor")
    response = load_response(sensor)
    if state.get("landsat_names"):
        response = select_bands(response, state["landsat_names"])
    count = model.ridge.weight.shape[1]
    if len(response.bands) != count:
        what = f"{sensor} has {len(response.bands)} bands, the network takes {count}"
        raise RsforgeError("RSF-U005", what, where="--sensor", fix="name the sensor that the patches were cut for")
    bands = integrate_response(response, model.wavelength_nm)
    require_coverage(response, bands, where=where)
    return torch.from_numpy(bands.weights)
