"""Networks of stage 1, started from what was fitted to the training side."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.cubes.cube import F32, F64
from rsforge.data.spectra.endmembers import find_by_kmeans, find_by_vca
from rsforge.data.spectra.ridge import Ridge
from rsforge.data.spectra.scaling import Scaling
from rsforge.data.spectra.training_fits import TrainingFits
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.band_network import BandNetwork, RidgeNetwork
from rsforge.models.spectral.spectral_sr import PRESETS, SpectralSR
from rsforge.models.spectral.transformer import SpectralTransformer
from rsforge.models.spectral.unmixing import SpectralUnmixing
from rsforge.settings.hsi import SpectralNetworkSettings

HEADROOM = 0.5
"""Of the spread of a band in the sample: outputs may exceed the sample by it, since the sample is not all there is."""

LEAST_ERROR = 1e-4
"""In normalised values: where the ridge solution is exact, the residual may still do as much."""


def build(options: SpectralNetworkSettings, *, in_channels: int, bands: int) -> BandNetwork:
    """The network that the settings describe, at random; RSF-U005 for sizes that do not fit together."""
    try:
        network = _build(options, in_channels, bands)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--model") from error
    use_checkpointing(network, options.gradient_checkpointing)
    return network


def _build(options: SpectralNetworkSettings, in_channels: int, bands: int) -> BandNetwork:
    if options.model == "spectral_unmixing":
        return SpectralUnmixing(bands=bands, in_channels=in_channels, count=options.endmembers)
    if options.model == "spectral_transformer":
        return SpectralTransformer(
            bands=bands,
            in_channels=in_channels,
            width=options.transformer_width,
            blocks=options.blocks or 6,
            heads=options.heads,
            window=options.attention_window,
        )
    preset = PRESETS[options.size]
    return SpectralSR(
        bands=bands,
        in_channels=in_channels,
        hidden=options.hidden_width or preset["hidden"],
        blocks=options.blocks or preset["blocks"],
        features=options.features,
        taps=options.taps,
    )


def start_from(
    network: BandNetwork, fits: TrainingFits, options: SpectralNetworkSettings, *, seed: int, world: SingleProcess
) -> None:
    """Set the range of the output, and the ridge solution or the endmembers that the network starts from.

    One process looks for the endmembers.
    """
    set_range(network, fits.pixels, fits.spectra)
    network.set_residual_scale(as_tensor(_normalised_error(fits)))
    if isinstance(network, RidgeNetwork):
        ridge = normalised_ridge(fits)
        network.set_ridge(as_tensor(ridge.weight), as_tensor(ridge.bias))
    if isinstance(network, SpectralUnmixing):
        spectra, seen = world.make_once(partial(find_endmembers, fits, options, seed=seed))
        network.set_endmembers(
            as_tensor(fits.spectra.normalise(spectra)).float(), as_tensor(fits.landsat.normalise(seen)).float()
        )


def set_range(network: BandNetwork, pixels: F32, spectra: Scaling) -> None:
    """Let the output reach from darkness to somewhat above the sample ``pixels (n, B)`` of the training side."""
    sample = spectra.normalise(pixels).astype(float)
    lowest, highest = sample.min(axis=0), sample.max(axis=0)
    spread = HEADROOM * (highest - lowest)
    # Where nothing is emitted radiance is 0 and not below, whatever the percentiles made of it.
    dark = np.minimum(spectra.normalise(np.zeros_like(pixels[:1]))[0], lowest)
    network.set_range(as_tensor(dark), as_tensor(highest + (0 if spectra.clip else spread)))


def normalised_ridge(fits: TrainingFits) -> Ridge:
    """The regression of the training side between normalised values."""
    return fits.ridge.rescale(fits.landsat, fits.spectra)


def _normalised_error(fits: TrainingFits) -> F64:
    gain, _ = fits.spectra.gain_and_offset()
    return np.maximum(fits.error * gain, LEAST_ERROR)


def find_endmembers(fits: TrainingFits, options: SpectralNetworkSettings, *, seed: int) -> tuple[F32, F32]:
    """Spectra ``(count, B)`` and what Landsat sees of them ``(count, K)``, in the units of the files.

    What is seen of a cluster's centre is what is seen of the sampled pixel that is nearest to it.
    """
    if options.endmember_init == "vca":
        rows = find_by_vca(fits.pixels, options.endmembers, seed=seed)
        return fits.pixels[rows], fits.seen[rows]
    centres = find_by_kmeans(fits.pixels, options.endmembers, seed=seed)
    distance = torch.cdist(as_tensor(centres), as_tensor(fits.pixels))
    return centres, fits.seen[distance.argmin(dim=1).numpy()]


def fit_pixel_baselines(fits: TrainingFits, options: SpectralNetworkSettings, *, seed: int) -> dict[str, Any]:
    """What predictors without a network know, for checkpoints: ``mean_spectrum (B,)``, and ``endmembers (n, B)``.

    Endmembers are centres of clusters, which err less than corners of the simplex; Landsat saw ``seen (n, K)`` of them.
    All in the units of the files. ``absent`` says why there are none.
    """
    centres = options.model_copy(update={"endmember_init": "kmeans"})
    try:
        spectra, seen = find_endmembers(fits, centres, seed=seed)
    except RsforgeError as error:
        return {"mean_spectrum": as_tensor(fits.mean).float(), "absent": f"{error.what}, found {error.found}"}
    return {
        "mean_spectrum": as_tensor(fits.mean).float(),
        "endmembers": torch.from_numpy(spectra),
        "seen": torch.from_numpy(seen),
    }


def as_tensor(values: F32 | F64) -> Tensor:
    """The same values in float64."""
    return torch.from_numpy(np.ascontiguousarray(values, float))
