"""What is evaluated: each stage and both together, what they are given, and what costs nothing beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rsforge.data.spectra.patch_reader import PairedPixels
from rsforge.data.spectra.spatial_dataset import coarse_means, cut_to_coarse, landsat_at_its_pixels
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.models.spectral.baselines import Bicubic, MeanSpectrum, NearestSpectrum, RidgeAlone
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.hsi.load import SpectralModel
from rsforge.recipes.hsi.networks import as_tensor
from rsforge.recipes.hsi.prediction import SAME, Stages, predict_coarse_to_fine, predict_detail, predict_spectra
from rsforge.tasks.hsi_spatial import find_comparable
from rsforge.wording import count_noun

Predictor = Callable[[Tensor], Tensor]
NOT_STORED = "the checkpoint holds none of its training side: it was made by an earlier version"


@dataclass(frozen=True)
class PatchCase:
    """A patch as a stage is given it, in the units of the files; NaN where a value is not known.

    ``given (C, h, w)`` is the input, ``truth (B, H, W)`` what it should become, ``valid (H, W)`` is True where that
    counts, and ``landsat (K, h, w)`` is what Landsat saw of the pixels of the input.
    """

    given: Tensor
    truth: Tensor
    valid: Tensor
    landsat: Tensor


@dataclass(frozen=True)
class Stage:
    """One stage, or both: predictors by name, the model first, what the others are, and why some are not there.

    ``scale`` is how much finer the output's pixels are than the input's.
    """

    name: str
    title: str
    reading: str
    scale: Fraction
    predictors: Mapping[str, Predictor]
    meanings: Mapping[str, str]
    absent: Mapping[str, str]
    prepare: Callable[[PairedPixels], PatchCase]


PROJECTED = "Predictions are moved to the nearest non-negative spectra that give what Landsat measured."


def build_stages(stages: Stages) -> list[Stage]:
    """Stage 1, and with a stage 2 that one and both together.

    With a response, what begins with Landsat is projected; baselines are not.
    """
    stage2 = stages.spatial
    spectral = _build_stage1(replace(stages, spatial=None))
    if stage2 is None:
        return [spectral]
    fixed, meanings = list_resamplings(stage2)
    ridge = spectral.predictors["ridge"]
    low, high = "coarse pixels", f"pixels {float(stage2.scale):g} times finer"
    return [
        spectral,
        Stage(
            "stage2",
            "Stage 2",
            f"Spectra of {high} from area means of the true ones.",
            stage2.scale,
            {MODEL: partial(predict_detail, stage2), **fixed},
            meanings,
            {},
            partial(prepare_coarse, scale=stage2.scale, of_landsat=False),
        ),
        Stage(
            "end_to_end",
            "Both stages",
            _tell_projected(f"Spectra of {high} from the Landsat values of {low}, through both stages.", stages),
            stage2.scale,
            {
                MODEL: partial(_follow_stages, stages),
                **{f"ridge_{name}": partial(_follow, ridge, resample) for name, resample in fixed.items()},
            },
            {f"ridge_{name}": f"the ridge regression of stage 1, then {text}" for name, text in meanings.items()},
            {},
            partial(prepare_coarse, scale=stage2.scale, of_landsat=True),
        ),
    ]


def list_resamplings(stage2: Any) -> tuple[dict[str, Predictor], dict[str, str]]:
    """What enlarges without training, and what it is, by name; corrected as often as the network corrects itself."""
    made, meanings = {"bicubic": 0}, {"bicubic": "bicubic resampling of the coarse spectra"}
    if count := stage2.network.corrections:
        made["corrected_bicubic"] = count
        times = count_noun(count, "time")
        meanings["corrected_bicubic"] = f"{meanings['bicubic']}, corrected {times} as stage 2 corrects itself"
    networks = {name: Bicubic(stage2.network, str(stage2.scale), often) for name, often in made.items()}
    return {name: partial(predict_detail, _use(stage2, network)) for name, network in networks.items()}, meanings


def _follow_stages(stages: Stages, landsat: Tensor) -> Tensor:
    return predict_coarse_to_fine(stages, landsat)[0]


def _follow(first: Predictor, second: Predictor, x: Tensor) -> Tensor:
    return second(first(x))


def _tell_projected(reading: str, stages: Stages) -> str:
    return reading if stages.response is None else f"{reading} {PROJECTED}"


def _build_stage1(stages: Stages) -> Stage:
    model = stages.spectral
    networks, meanings, absent = list_pixel_baselines(model)
    predictors = {name: partial(predict_spectra, _use(model, network)) for name, network in networks.items()}
    return Stage(
        "stage1",
        "Stage 1",
        _tell_projected("The spectrum of each pixel from its Landsat bands, at the same size.", stages),
        SAME,
        {MODEL: partial(_follow_stages, stages), **predictors},
        meanings,
        absent,
        prepare_same,
    )


def _use(model: Any, network: BandNetwork) -> Any:
    """The same model, and so the same normalisation and the same treatment of holes, with another network."""
    return replace(model, network=network.to(model.network.lowest.device))


def list_pixel_baselines(
    model: SpectralModel,
) -> tuple[dict[str, BandNetwork], dict[str, str], dict[str, str]]:
    """Predictors of a spectrum from its Landsat bands, what they are, and why some are not there, by name."""
    like, stored = model.network, model.loaded.state.get("baselines") or {}
    ridge = model.ridge.rescale(model.landsat, model.spectra)
    networks: dict[str, BandNetwork] = {"ridge": RidgeAlone(like, as_tensor(ridge.weight), as_tensor(ridge.bias))}
    meanings = {"ridge": "the ridge regression of spectra on Landsat that the training side gives"}
    absent = dict.fromkeys(("nearest_endmember", "mean_spectrum"), NOT_STORED)
    if "mean_spectrum" in stored:
        del absent["mean_spectrum"]
        spectrum = model.spectra.normalise(stored["mean_spectrum"].numpy())
        networks["mean_spectrum"] = MeanSpectrum(like, torch.from_numpy(spectrum))
        meanings["mean_spectrum"] = "the mean spectrum of the training side at every pixel"
    if "endmembers" in stored:
        del absent["nearest_endmember"]
        spectra, seen = (stored[name].numpy() for name in ("endmembers", "seen"))
        unit = torch.from_numpy(model.spectra.normalise(spectra)), torch.from_numpy(model.landsat.normalise(seen))
        networks["nearest_endmember"] = NearestSpectrum(like, *unit)
        clusters = count_noun(len(spectra), "cluster")
        meanings["nearest_endmember"] = f"of {clusters} of training spectra the centre that Landsat sees most alike"
    elif "absent" in stored:
        absent["nearest_endmember"] = stored["absent"]
    return networks, meanings, absent


def prepare_same(pixels: PairedPixels) -> PatchCase:
    """A patch at its own pixels."""
    landsat, truth, valid = _as_images(pixels)
    landsat = torch.where(valid, landsat, torch.nan)
    return PatchCase(landsat, truth, valid, landsat)


def prepare_coarse(pixels: PairedPixels, *, scale: Fraction, of_landsat: bool) -> PatchCase:
    """The part of a patch that whole coarse pixels cover, from its upper left corner: 255 pixels of 34.

    What is given are Landsat's own pixels, or area means of the true spectra over the valid part of each. They begin
    and end at the edges of the truth, so that nothing is shifted. Pixels beside a hole do not count, as in trainings.
    """
    _, truth, valid = _as_images(pixels)
    counted, landsat = valid.float()[None], landsat_at_its_pixels(pixels, scale)
    means, holds = coarse_means(truth, counted, scale)
    if of_landsat:
        holds = landsat.isfinite().all(0, keepdim=True).float()
    given = landsat if of_landsat else torch.where(holds > 0, means, torch.nan)
    comparable = find_comparable(cut_to_coarse(counted, scale)[None], holds[None], scale)[0, 0]
    return PatchCase(given, cut_to_coarse(truth, scale), comparable, landsat)


def _as_images(pixels: PairedPixels) -> tuple[Tensor, Tensor, Tensor]:
    landsat, truth = (torch.from_numpy(values).permute(2, 0, 1) for values in (pixels.landsat, pixels.spectra))
    return landsat, truth, torch.from_numpy(pixels.valid)
