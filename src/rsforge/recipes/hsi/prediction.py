"""Spectra from Landsat, and finer pixels from them, in the units of the files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from rsforge.data.cubes.cube import F64
from rsforge.data.scenes.tiling import scale_mask
from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError
from rsforge.models.spectral.area_consistency import area_means, project_to_area_means
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.models.spectral.null_space import project_to_measured
from rsforge.recipes.hsi.load import SpatialModel, SpectralModel
from rsforge.recipes.inference.broken_images import refuse_broken

SAME = Fraction(1)


@dataclass(frozen=True)
class Stages:
    """Stage 1 and, where they are wanted, stage 2 and the responses ``(in, bands)`` of the sensor, for projections."""

    spectral: SpectralModel
    spatial: SpatialModel | None = None
    response: Tensor | None = None

    @property
    def scale(self) -> Fraction:
        """How many pixels of the result lie along one of Landsat."""
        return self.spatial.scale if self.spatial else SAME

    @property
    def bands(self) -> int:
        return len(self.spectral.network.lowest)


def predict_spectra(model: SpectralModel, landsat: Tensor) -> Tensor:
    """Spectra ``(bands, H, W)`` of ``landsat`` ``(in, H, W)``, both in the units of the training, float32.

    Values are normalised by the ranges of the training side that the checkpoint stores. A pixel that is not finite in
    every band is taken as trainings take invalid ones, and its spectrum is NaN. RSF-D003 for another number of bands,
    RSF-T004 where the network makes what is not finite of values that are.
    """
    _require_bands(landsat, model.ridge.weight.shape[1])
    return _predict(model.network, model.landsat, model.spectra, landsat, SAME)


def predict_detail(model: SpatialModel, spectra: Tensor) -> Tensor:
    """Spectra ``(bands, H, W)`` of pixels ``model.scale`` times finer than those of ``spectra`` ``(bands, h, w)``.

    Units, normalisation and errors are as in ``predict_spectra``; a fine pixel is NaN where any coarse pixel that it
    lies on is not finite, and no pixel is made of those.
    """
    _require_bands(spectra, len(model.network.lowest))
    return _predict(model.network, model.spectra, model.spectra, spectra, model.scale, masked=True)


def _require_bands(values: Tensor, bands: int) -> None:
    if values.ndim != 3 or len(values) != bands:
        found = f"an image of shape {tuple(values.shape)}"
        raise RsforgeError("RSF-D003", f"the network takes {bands} bands", found=found)


@torch.no_grad()
def _predict(
    network: BandNetwork, given: Scaling, made: Scaling, values: Tensor, scale: Fraction, *, masked: bool = False
) -> Tensor:
    device = network.lowest.device
    gain, offset = (_per_band(numbers, device) for numbers in given.gain_and_offset())
    x = values.to(device, torch.float32) * gain + offset
    finite = x.isfinite().all(0)
    x[:, ~finite] = 0
    x = (x.clamp(0, 1) if given.clip else x)[None]
    y = (network(x, finite.to(x)[None, None]) if masked else network(x))[0].float()
    gain, offset = (_per_band(numbers, device) for numbers in made.gain_and_offset())
    y = (y - offset) / gain
    refuse_broken(y[None], [""])
    holds = torch.from_numpy(scale_mask(finite.cpu().numpy(), scale))
    y[:, ~holds.to(device)] = torch.nan
    return y.to(values.device)


def _per_band(numbers: F64, device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32, device=device)[:, None, None]


def predict_coarse_to_fine(stages: Stages, landsat: Tensor) -> tuple[Tensor, Tensor]:
    """What the stages make of ``landsat`` ``(in, h, w)``, ``(bands, H, W)``; projected where they have a response.

    Where there is a stage 2, the pixels are those of Landsat itself. The second result ``(h, w)`` is True where all
    bands are met, or, without a response, known.
    """
    spectra, met = predict_spectra(stages.spectral, landsat), landsat.isfinite().all(0)
    if stages.response is not None:
        spectra, met = project_spectra(spectra, landsat, stages.response)
    if stages.spatial is None:
        return spectra, met
    fine = predict_detail(stages.spatial, spectra)
    return (fine, met) if stages.response is None else project_detail(fine, landsat, stages.response, stages.scale)


def project_spectra(spectra: Tensor, landsat: Tensor, response: Tensor) -> tuple[Tensor, Tensor]:
    """The non-negative spectra ``(bands, H, W)`` nearest to ``spectra`` that integrate to ``landsat`` ``(in, H, W)``.

    Both are in one unit. The second result ``(H, W)`` is True where all bands are met (``project_to_measured``).
    """
    nearest, met = project_to_measured(spectra[None], response, landsat[None])
    return nearest[0], met[0, 0]


def project_detail(fine: Tensor, landsat: Tensor, response: Tensor, scale: Fraction) -> tuple[Tensor, Tensor]:
    """The non-negative fine spectra ``(bands, H, W)`` whose means over pixels of Landsat integrate to ``landsat``.

    The means nearest to those of ``fine`` are found first, then the fine pixels nearest to ``fine`` with these means:
    the means are exact, but other fine pixels may be nearer. The second result ``(h, w)`` is True where all bands are
    met; it is False beside gaps, where a mean is not known.
    """
    means = area_means(fine, landsat.shape[1], landsat.shape[2], scale)
    wanted, integrable = project_spectra(means, landsat.double(), response)
    nearest, averaged = project_to_area_means(fine, wanted, scale)
    return nearest, integrable & averaged
