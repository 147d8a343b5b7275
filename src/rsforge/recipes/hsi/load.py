"""Networks that predict spectra, from their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from rsforge.data.cubes.cube import F64
from rsforge.data.spectra.ridge import Ridge
from rsforge.data.spectra.scaling import Scaling
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.models.spectral.resize import parse_scale
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild

SPECTRAL_KIND, SPECTRAL_ROLE = "hsi-spectral", "checkpoint of spectral super-resolution"
REQUIRED = ("architecture", "bands", "wavelength_nm", "fwhm_nm", "normalisation", "ridge")

SPATIAL_KIND, SPATIAL_ROLE = "hsi-spatial", "checkpoint of spatial super-resolution"
SPATIAL_REQUIRED = ("architecture", "bands", "wavelength_nm", "fwhm_nm", "normalisation", "scale")


@dataclass(frozen=True)
class SpectralModel:
    """A network with what is needed to use it; wavelengths and widths ``(bands,)`` in nm, None where never known.

    ``ridge`` is in the units of the files, ``landsat`` and ``spectra`` are their normalisations.
    """

    network: BandNetwork
    loaded: LoadedModel
    landsat: Scaling
    spectra: Scaling
    ridge: Ridge
    wavelength_nm: F64 | None
    fwhm_nm: F64 | None


def load_spectral(path: Path, device: torch.device) -> SpectralModel:
    """The network of a checkpoint, with averaged weights where it has them.

    RSF-C004 for a checkpoint of another kind, RSF-C003 where entries are missing or do not fit, RSF-D006 where the
    normalisation or the regression is damaged.
    """
    state = checkpoint.load(path, kind=SPECTRAL_KIND, role=SPECTRAL_ROLE)
    loaded = rebuild(state, "network", path, averaged=True, required=REQUIRED)
    stored: Mapping[str, Any] = state["normalisation"]
    checkpoint.require(stored, ("landsat", "spectra"), where=str(path))
    return SpectralModel(
        network=cast(BandNetwork, loaded.network.to(device)),
        loaded=loaded,
        landsat=Scaling.from_dict(stored["landsat"], where=str(path)),
        spectra=Scaling.from_dict(stored["spectra"], where=str(path)),
        ridge=Ridge.from_dict(state["ridge"], where=str(path)),
        wavelength_nm=_read_axis(state, "wavelength_nm", path),
        fwhm_nm=_read_axis(state, "fwhm_nm", path),
    )


@dataclass(frozen=True)
class SpatialModel:
    """A network from coarse to fine spectra, with what is needed to use it; ``spectra`` is their normalisation.

    ``network`` takes normalised ``(B, bands, h, w)`` and returns normalised ``(B, bands, H, W)``, ``scale`` times as
    many pixels each way. Wavelengths and widths are ``(bands,)`` in nm, None where never known.
    """

    network: BandNetwork
    loaded: LoadedModel
    spectra: Scaling
    scale: Fraction
    wavelength_nm: F64 | None
    fwhm_nm: F64 | None


def load_spatial(path: Path, device: torch.device) -> SpatialModel:
    """The network of a checkpoint, with averaged weights where it has them.

    RSF-C004 for a checkpoint of another kind, RSF-C003 where entries are missing or do not fit, RSF-D006 where the
    normalisation is damaged.
    """
    state = checkpoint.load(path, kind=SPATIAL_KIND, role=SPATIAL_ROLE)
    loaded = rebuild(state, "network", path, averaged=True, required=SPATIAL_REQUIRED)
    checkpoint.require(state["normalisation"], ("spectra",), where=str(path))
    return SpatialModel(
        network=cast(BandNetwork, loaded.network.to(device)),
        loaded=loaded,
        spectra=Scaling.from_dict(state["normalisation"]["spectra"], where=str(path)),
        scale=_read_scale(state, loaded, path),
        wavelength_nm=_read_axis(state, "wavelength_nm", path),
        fwhm_nm=_read_axis(state, "fwhm_nm", path),
    )


def _read_scale(state: Mapping[str, Any], loaded: LoadedModel, path: Path) -> Fraction:
    """The stated scale, which is that of the network."""
    try:
        scale = parse_scale(state["scale"])
    except (ValueError, ZeroDivisionError):
        scale = Fraction(0)
    if scale != getattr(loaded.network, "scale", None):
        found = repr(state["scale"])[:200]
        raise RsforgeError("RSF-C003", "scale of this checkpoint does not fit", where=str(path), found=found)
    return scale


def _read_axis(state: Mapping[str, Any], name: str, path: Path) -> F64 | None:
    """The numbers of all bands under ``name``; None where the training knew none."""
    values = state[name]
    if not values:
        return None
    if len(values) != state["bands"]:
        found = f"{len(values)} numbers for {state['bands']} bands"
        raise RsforgeError("RSF-C003", f"{name} of this checkpoint does not fit", where=str(path), found=found)
    return np.array(values, float)
