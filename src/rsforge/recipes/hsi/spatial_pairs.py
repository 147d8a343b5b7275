"""The patches that stage 2 is trained on, at two resolutions: divided, normalised as for stage 1, measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rsforge.data.cubes.cube import F32, F64
from rsforge.data.spectra.pair_dataset import SpectralPairs
from rsforge.data.spectra.patch_files import PatchFile, PatchRef
from rsforge.data.spectra.scaling import Scaling
from rsforge.data.spectra.spatial_dataset import (
    PredictedPairs,
    SpatialPairs,
    describe_landsat,
    high_size,
    largest_low_size,
)
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.models.spectral.resize import resize
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.cube_patches import PatchSets
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.hsi.first_stage import (
    ROLE,
    FirstStage,
    PredictionStore,
    check_fits,
    check_goes_on,
    load_first_stage,
)
from rsforge.recipes.hsi.networks import LEAST_ERROR
from rsforge.recipes.hsi.patch_pairs import divide_patches, measure, name_scenes
from rsforge.recipes.judging.judged_side import JudgedSide, choose_side
from rsforge.recipes.training import partners
from rsforge.recipes.training.job import Compute
from rsforge.settings.hsi_spatial import SpatialDataSettings, SpatialTrainSettings
from rsforge.tasks.hsi_spatial import find_comparable

MIXED_SHARE = 0.5  # of the samples that take what stage 1 predicts with --source mix
MEASURED = 64  # patches on which the error of bicubic resampling is measured
NO_WAVELENGTHS = "the files state no wavelengths: predictions have no wavelength axis"


@dataclass(frozen=True)
class Start:
    """What an untrained network starts from, of the training side.

    ``pixels (n, B)`` are a sample of its spectra in the unit of the files, ``error (B,)`` is the root mean square error
    of bicubic resampling in normalised values.
    """

    pixels: F32
    error: F64


@dataclass(frozen=True)
class SpatialSets:
    """Both sides as pairs of true spectra, and what was measured on the training side.

    ``start`` is None for a run that goes on, and ``corrections`` those of its network, None for one that begins.
    ``inputs`` are the datasets to train on and to measure, ``judged`` the one of ``test``. ``trained`` are short
    digests of the contents of the training patches.
    """

    train: SpatialPairs
    held_out: SpatialPairs | None
    inputs: tuple[IndexedDataset, IndexedDataset]
    file: PatchFile
    landsat: Scaling
    spectra: Scaling
    start: Start | None
    scale: Fraction
    stage1: FirstStage | None
    identity: dict[str, Any]
    trained: list[str]
    corrections: int | None = None
    test: SpatialPairs | None = None
    judged: IndexedDataset = field(default_factory=NoSamples)


def load_spatial_pairs(
    settings: SpatialTrainSettings, compute: Compute, console: Console, state: Mapping[str, Any] | None = None
) -> SpatialSets:
    """The patches that the settings name, whose coarse spectra are area means of the true ones as yet.

    What was measured on them is that of ``state``, the checkpoint of a run that goes on on the same patches.
    RSF-C006 for a stage 1 of other bands, RSF-D003 for patches smaller than a coarse pixel, RSF-U005 for crops that
    whole coarse pixels do not fill.
    """
    data, seed, scale = settings.data, settings.run.seed, Fraction(settings.network.scale)
    stage1 = _load_named(settings, compute, console)
    sets = divide_patches(data, seed, console)
    file = sets.train[0].file
    if stage1:
        check_fits(stage1, file)
        if state:
            check_goes_on(state, stage1, settings.run.output_dir)
        _warn_of_stage1(stage1, sets, scale, console)
    if file.wavelength_nm is None:
        console.warn(NO_WAVELENGTHS)
    low = find_low_size(sets.train, data.crop_size, scale)
    scalings, pixels = _find_stored_scalings(state), None
    if scalings is None:
        fits = measure(sets.train, (), data, seed, compute, console)
        scalings, pixels = (fits.landsat, fits.spectra), fits.pixels
    if stage1:
        scalings = stage1.model.landsat, stage1.model.spectra
    train = _pair(sets.train, scalings, low, scale, data, seed)
    plain, test = (
        _pair(side, scalings, find_low_size(side, 0, scale), scale, data, seed).plain() if side else None
        for side in (sets.val, sets.test)
    )
    start = None
    if pixels is not None:
        start = Start(pixels, compute.world.make_once(partial(measure_bicubic_error, train, console)))
    inputs = (train, plain or NoSamples())
    corrections = int(state["architecture"].get("corrections", 0)) if state else None
    identity, trained = sets.identity, sets.trained
    return SpatialSets(train, plain, inputs, file, *scalings, start, scale, stage1, identity, trained, corrections,
                       test, test or NoSamples())  # fmt: skip


def _find_stored_scalings(state: Mapping[str, Any] | None) -> tuple[Scaling, Scaling] | None:
    """Of Landsat and of the spectra; None where a run begins, or its checkpoint lacks one."""
    stored = state["normalisation"] if state else {}
    if not {"landsat", "spectra"} <= stored.keys():
        return None
    landsat, spectra = (Scaling.from_dict(stored[name], where="--resume") for name in ("landsat", "spectra"))
    return landsat, spectra


def _load_named(settings: SpatialTrainSettings, compute: Compute, console: Console) -> FirstStage | None:
    """The stage 1 that the settings name; none where the true spectra are all that is used."""
    path = settings.data.stage1_checkpoint
    if settings.data.source == "truth" or path is None:
        return None
    return load_first_stage(partners.locate(ROLE, path, settings.run, console), compute)


def _warn_of_stage1(stage1: FirstStage, sets: PatchSets, scale: Fraction, console: Console) -> None:
    if stage1.model.loaded.state["images"].get("split") != sets.identity["split"]:
        console.warn("stage 1 was trained by another split: it may have seen what is held out here")
    if note := describe_landsat([patch.file for patch in (*sets.train, *sets.val)], scale):
        console.say(f"landsat    {note}")
    factor = sets.train[0].file.factor
    if factor != scale:
        console.warn(
            f"--scale is {scale}, and a Landsat pixel is {factor} pixels wide in these patches: what stage 1 predicts "
            "has another sharpness than area means of that width"
        )


def find_low_size(patches: Sequence[PatchRef], crop: int, scale: Fraction) -> int:
    """The coarse pixels of a crop of ``crop`` fine ones, or without it the most that fit into every patch.

    RSF-U005 for a crop that whole coarse pixels do not fill, RSF-D003 for patches into which none fit.
    """
    if not crop:
        return largest_low_size(min(min(patch.file.height, patch.file.width) for patch in patches), scale)
    step = scale.numerator
    if crop % step:
        raise RsforgeError(
            "RSF-U005", f"a crop of {crop} pixels is not filled by whole pixels at a scale of {float(scale):g}",
            where="--crop-size, --scale", fix=f"use a multiple of {step}, such as {max(1, crop // step) * step}",
        )  # fmt: skip
    return crop // step * scale.denominator


def _pair(
    patches: Sequence[PatchRef],
    scalings: tuple[Scaling, Scaling],
    low_size: int,
    scale: Fraction,
    data: SpatialDataSettings,
    seed: int,
) -> SpatialPairs:
    """Crops of the patches that begin where coarse pixels do, so that these are those that Landsat has."""
    pairs = SpectralPairs(
        patches,
        landsat=scalings[0],
        spectra=scalings[1],
        size=high_size(low_size, scale),
        seed=seed,
        augment=data.augment,
        crops_per_patch=data.crops_per_patch,
        step=scale.numerator,
    )
    return SpatialPairs(pairs, factor=scale, low_size=low_size)


def measure_bicubic_error(pairs: SpatialPairs, console: Console) -> F64:
    """The root mean square error of bicubic resampling by band ``(B,)``, normalised, on some patches of ``pairs``."""
    plain = pairs.plain()
    chosen = range(0, len(plain), -(-len(plain) // MEASURED))
    squares, count = torch.zeros(1, dtype=torch.float64), 0.0
    with console.progress("bicubic", len(chosen)) as meter:
        for index in chosen:
            batch = {name: value[None] for name, value in plain[0, index].items()}
            counted = find_comparable(batch["valid"], batch["low_valid"], pairs.factor)
            error = (resize(batch["low"], pairs.factor) - batch["high"]).where(counted, 0.0)
            squares = squares + error.double().square().sum((0, 2, 3))
            count += float(counted.sum())
            meter.step()
    rms: F64 = (squares / max(count, 1.0)).sqrt().clamp(min=LEAST_ERROR).numpy()
    return rms


def use_predictions(
    settings: SpatialTrainSettings, sets: SpatialSets, folder: Path, compute: Compute, console: Console
) -> SpatialSets:
    """The same pairs, whose coarse spectra are what stage 1 predicts where the settings ask for it; stored in a folder.

    Held-out pairs take it always, since that is what stage 2 is for, unless the source is the truth alone.
    """
    if sets.stage1 is None:
        return sets
    store, split = PredictionStore(folder, sets.stage1, sets.scale, compute, console), sets.identity["split"]
    share = MIXED_SHARE if settings.data.source == "mix" else 1.0
    predicted = store.predictions(sets.train.pairs.patches, "training", split)
    train: IndexedDataset = PredictedPairs(sets.train, predicted, share=share)
    held_out: IndexedDataset = NoSamples()
    if sets.held_out:
        predicted = store.predictions(sets.held_out.pairs.patches, "held-out", split)
        held_out = PredictedPairs(sets.held_out, predicted)
    judged: IndexedDataset = NoSamples()
    if sets.test:
        # The division is known by what trains and chooses: the patches that judge are told apart by their names.
        names = hashlib.sha256(repr([sets.test.name(k) for k in range(len(sets.test))]).encode()).hexdigest()
        judged = PredictedPairs(sets.test, store.predictions(sets.test.pairs.patches, f"judging {names}", split))
    return replace(sets, inputs=(train, held_out), judged=judged)


def choose_judging(data: SpatialSets) -> JudgedSide | None:
    """The patches that judge."""
    return choose_side(data.inputs[1], data.judged, name_scenes, noun="patch")
