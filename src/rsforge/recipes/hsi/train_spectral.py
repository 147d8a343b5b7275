"""``rsforge hsi train-spectral``: the spectrum of each pixel from its Landsat bands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rsforge.data.spectra.ridge import Ridge
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.recipes.console import Console, is_given
from rsforge.recipes.hsi.load import REQUIRED, SPECTRAL_KIND
from rsforge.recipes.hsi.networks import as_tensor, build, fit_pixel_baselines, normalised_ridge, start_from
from rsforge.recipes.hsi.output_names import HSI
from rsforge.recipes.hsi.patch_pairs import SpectralSets, choose_judging, describe_bands, load_patches
from rsforge.recipes.judging.validation_figures import FigureJudge
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.plan import Undrawn
from rsforge.recipes.training.run import fit
from rsforge.settings.hsi import SpectralLossSettings, SpectralTrainSettings
from rsforge.tasks.hsi import Baseline, SensorResponse, SpectralTask
from rsforge.tasks.spectral_figures import Normalisation

CURVES: Curves = {
    "loss": ["loss", "val/loss"],
    "L1": ["l1", "val/l1"],
    "spectral angle (degrees)": ["val/sam_deg", "val/ridge_sam_deg"],
    "RMSE": ["val/rmse", "val/ridge_rmse"],
}
TRACKED = {
    "loss": "Loss/train", "val/loss": "Loss/val", "lr": "LR",
    **{name: f"Train/{name}" for name in ("l1", "sam", "spectral_grad", "consistency")},
    **{f"val/{name}": f"Val/{name}" for name in ("l1", "sam", "spectral_grad", "consistency")},
}  # fmt: skip
OWN_OPTIONS = {
    "spectral_sr": {"size", "hidden_width", "blocks", "features", "taps"},
    "spectral_unmixing": {"endmembers", "endmember_init"},
    "spectral_transformer": {"blocks", "transformer_width", "heads", "attention_window"},
}
"""The options of the network that each model takes."""

ANY_BANDS = 8


def train_spectral(settings: SpectralTrainSettings, console: Console) -> dict[str, Any]:
    """Train a network that predicts spectra; returns where it lies and how good it became."""
    return fit(METHOD, settings, console)


def check(settings: SpectralTrainSettings, console: Console) -> None:
    """RSF-U005 for a network that cannot be built; warnings of options that do nothing."""
    options = settings.network
    with Undrawn():
        build(options, in_channels=ANY_BANDS, bands=ANY_BANDS)
    warn_of_unused(OWN_OPTIONS, options.model, console)


def warn_of_unused(own: Mapping[str, set[str]], model: str, console: Console) -> None:
    """Warn of given options that only other models have (``own`` are those of each), and of samples."""
    for name in sorted(set().union(*own.values()) - own[model]):
        if is_given(name, console):
            console.warn(f"--{name.replace('_', '-')} is not used: {model} has no such part")
    if any(is_given(name, console) for name in ("sample_every", "sample_every_steps")):
        console.warn("--sample-every is not used: this training writes no pictures of samples")


def build_network(settings: SpectralTrainSettings, data: SpectralSets, compute: Compute) -> BandNetwork:
    """A network that starts from what was measured; of a run that goes on it is that of its checkpoint anyway."""
    network = build(settings.network, in_channels=data.file.landsat_bands, bands=data.file.bands)
    if data.fits.complete:
        start_from(network, data.fits, settings.network, seed=settings.run.seed, world=compute.world)
    return network


def spec(
    settings: SpectralTrainSettings, data: SpectralSets, network: BandNetwork, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    return TrainingSpec(
        build_task(settings.loss, data, network),
        data.train,
        data.held_out,
        identity={
            "architecture": network.architecture,
            **describe_bands(data.file),
            "normalisation": {"landsat": data.fits.landsat.as_dict(), "spectra": data.fits.spectra.as_dict()},
            "ridge": data.fits.ridge.as_dict(),
            "response": [] if data.file.response is None else data.file.response.tolist(),
            "trained": data.trained,
            "compared": data.compared,
        },
        monitor="val/loss",
        fitted_start=True,
        tracked=TRACKED,
        baselines=lambda: fit_pixel_baselines(data.fits, settings.network, seed=settings.run.seed),
    )


def build_task(weights: SpectralLossSettings, data: SpectralSets, network: BandNetwork) -> SpectralTask:
    """The task on normalised values, whose figures are told in the units of the files."""
    known = data.file.wavelength_nm
    gain, offset = data.fits.spectra.gain_and_offset()
    ridge = normalised_ridge(data.fits)
    return SpectralTask(
        network,
        wavelength_nm=torch.arange(data.file.bands, dtype=torch.float64) if known is None else as_tensor(known),
        normalisation=Normalisation(as_tensor(gain), as_tensor(offset)),
        baseline=Baseline(as_tensor(ridge.weight).float(), as_tensor(ridge.bias).float()),
        weights={
            "l1": weights.l1_weight,
            "l2": weights.l2_weight,
            "sam": weights.sam_weight,
            "spectral_grad": weights.spectral_grad_weight,
            "consistency": weights.consistency_weight,
        },
        response=_normalised_response(data),
    )


def _normalised_response(data: SpectralSets) -> SensorResponse | None:
    """The response that the loss looks through, between normalised values; in those of the files it has no bias."""
    if data.response is None:
        return None
    linear = Ridge(data.response, np.zeros(len(data.response)), 0.0).rescale(data.fits.spectra, data.fits.landsat)
    return SensorResponse(as_tensor(linear.weight), as_tensor(linear.bias))


def next_command(settings: SpectralTrainSettings, checkpoint: Path) -> str:
    words = ["--stage1-checkpoint", str(checkpoint), "--data-dir", settings.data.data_dir]
    return shlex.join(["rsforge", "hsi", "evaluate", *words])


METHOD: Method[SpectralTrainSettings, SpectralSets, BandNetwork] = Method(
    kind=SPECTRAL_KIND,
    outputs=HSI,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=load_patches,
    resumed_datasets=load_patches,
    networks=build_network,
    spec=spec,
    judge=FigureJudge(("sam_deg", "rmse"), {"ridge": ("ridge_sam_deg", "ridge_rmse")}, choose_judging, prefix="mean_"),
    next_command=next_command,
)
