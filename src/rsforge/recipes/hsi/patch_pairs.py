"""The patches that stage 1 is trained on: divided, measured, normalised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from rsforge.data.cubes.cube import F64
from rsforge.data.cubes.spectral_response import known_weights, named_weights
from rsforge.data.spectra.pair_dataset import SpectralPairs
from rsforge.data.spectra.patch_files import PatchFile, PatchRef, describe_other_response
from rsforge.data.spectra.training_fits import TrainingFits, fit_training_side
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.cube_patches import PatchSets, find_patch_sets
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.judging.judged_side import JudgedSide, choose_side
from rsforge.recipes.training.job import Compute
from rsforge.settings.hsi import SpectralDataSettings, SpectralTrainSettings

NO_WAVELENGTHS = (
    "the files state no wavelengths: the spectral gradient takes all bands as neighbours, and predictions have no "
    "wavelength axis"
)


OWN, ENLARGED = "the pixels of Landsat", "the pixels of the enlarged landsat"


@dataclass(frozen=True)
class SpectralSets:
    """What trains and chooses, what was fitted to the former, and the file that says what all have in common.

    ``test`` judges, where there is any.

    ``trained`` are short digests of the contents of the training patches.
    ``response (K, B)`` is the weight of each band in each of Landsat's, None where no term of the loss needs it;
    ``compared`` says at which pixels what it gives is compared with Landsat, "" where it is not.
    """

    train: SpectralPairs
    held_out: IndexedDataset
    fits: TrainingFits
    file: PatchFile
    identity: dict[str, Any]
    trained: list[str]
    response: F64 | None
    test: IndexedDataset = field(default_factory=NoSamples)
    compared: str = ""


def load_patches(
    settings: SpectralTrainSettings, compute: Compute, console: Console, state: Mapping[str, Any] | None = None
) -> SpectralSets:
    """The patches that the settings name, without augmentation where held out; every one is read once.

    What was measured on them is that of ``state``, the checkpoint of a run that goes on on the same patches.
    RSF-U005 where the loss asks for a response that is not known, or --sensor is another one than that of the files,
    RSF-C008 where a run that goes on compared it at other pixels; other errors are those of the parts.
    """
    data, seed = settings.data, settings.run.seed
    sets = divide_patches(data, seed, console)
    file = state_response(sets.train[0].file, settings.loss.sensor)
    response = find_response(file, data) if settings.loss.consistency_weight else None
    fits = _find_stored_fits(state, file) if state else None
    fits = fits or measure(sets.train, sets.val, data, seed, compute, console)
    if file.wavelength_nm is None:
        console.warn(NO_WAVELENGTHS)
    factor, compared = None, ""
    if response is not None:
        factor, compared = _choose_compared((*sets.train, *sets.val), data, console)
        check_compared(state, compared, settings.run.output_dir)
    train = SpectralPairs(
        sets.train,
        landsat=fits.landsat,
        spectra=fits.spectra,
        size=data.crop_size or None,
        seed=seed,
        augment=data.augment,
        crops_per_patch=data.crops_per_patch,
        step=factor.numerator if factor else 1,
        factor=factor,
    )
    held_out, test = (_hold_out(side, fits, data, seed, factor) for side in (sets.val, sets.test))
    return SpectralSets(train, held_out, fits, file, sets.identity, sets.trained, response, test, compared)


def name_scenes(samples: IndexedDataset) -> list[str]:
    """The file of each patch, which stands for its scene."""
    return [samples.name(index).rpartition("#")[0] for index in range(len(samples))]


def choose_judging(data: SpectralSets) -> JudgedSide | None:
    """The patches that judge."""
    return choose_side(data.held_out, data.test, name_scenes, noun="patch")


def _choose_compared(
    patches: Sequence[PatchRef], data: SpectralDataSettings, console: Console
) -> tuple[Fraction | None, str]:
    """The width of Landsat's own pixels where all files have them and crops hold one, and what is compared, said."""
    factors = {patch.file.factor if patch.file.has_native else None for patch in patches}
    factor = factors.pop()
    lacking = ""
    if factors or factor is None:
        lacking = "not all files have landsat_native of one width"
    elif data.crop_size and data.crop_size < factor:
        lacking = f"no pixel of Landsat, {float(factor):g} wide, is whole in a crop of {data.crop_size}"
    if lacking:
        console.say(f"consistency {lacking}: compared with the enlarged landsat, which the true spectra do not meet")
        return None, ENLARGED
    return factor, OWN


def check_compared(state: Mapping[str, Any] | None, compared: str, folder: Path) -> None:
    """RSF-C008 where the loss of the run to resume compared Landsat at other pixels; ENLARGED if it does not say."""
    if state is not None and (before := state.get("compared", ENLARGED)) != compared:
        what = "--consistency-weight compares otherwise than in the run to resume: it could not go on as it began"
        raise RsforgeError("RSF-C008", what, where=str(folder), found=f"{before} then, {compared} now")


def _find_stored_fits(state: Mapping[str, Any], file: PatchFile) -> TrainingFits | None:
    """What the training measured at its start; None where the checkpoint lacks it, or was trained on other bands."""
    if not state.get("baselines") or not state.get("ridge"):
        return None
    fits = TrainingFits.from_dict({**state["normalisation"], "ridge": state["ridge"]}, where="--resume")
    return fits if fits.ridge.weight.shape == (file.bands, file.landsat_bands) else None


def find_response(file: PatchFile, data: SpectralDataSettings) -> F64:
    """The weights ``(K, B)`` of the sensor of the files; RSF-U005 where they or the settings do not allow it."""
    if data.clip_outliers:
        raise RsforgeError(
            "RSF-U005", "spectra whose outliers are cut off do not add up to what Landsat measured",
            where="--consistency-weight, --clip-outliers", fix="leave out one of them",
        )  # fmt: skip
    try:
        return weights_of_patches(file)
    except ValueError as reason:
        raise RsforgeError(
            "RSF-U005", "what Landsat would measure of a spectrum is not known of these files",
            where="--consistency-weight", found=f"{file.path}: {reason}",
            fix="leave it out, name the sensor with --sensor, or cut the patches by `rsforge data hsi-patches`",
        ) from None  # fmt: skip


def weights_of_patches(file: PatchFile) -> F64:
    """The weights ``(K, B)`` with which Landsat was simulated; ``ValueError`` says why they are not known."""
    if file.response is not None:
        return file.response
    return known_weights(file.sensor, file.landsat_names, file.landsat_bands, file.wavelength_nm)


def state_response(file: PatchFile, sensor: str | None) -> PatchFile:
    """The file with the response of ``sensor``, as it is without one; errors are those of :func:`named_weights`.

    RSF-U005 where the file says that it simulates another sensor.
    """
    if sensor is None:
        return file
    try:
        stated = weights_of_patches(file)
    except ValueError:
        stated = None
    if stated is not None and sensor == file.sensor:
        return replace(file, response=stated)
    where, names = str(file.path), file.landsat_names
    named = named_weights(sensor, names, file.landsat_bands, file.wavelength_nm, where=where)
    axis = file.wavelength_nm
    if stated is not None and (found := describe_other_response(stated, named, axis, axis)):
        what = f"the patches simulate {file.sensor or 'another sensor'}, not {sensor}"
        raise RsforgeError("RSF-U005", what, where="--sensor", found=f"{where}: {found}", fix="leave --sensor out")
    return replace(file, response=named)


def divide_patches(data: SpectralDataSettings, seed: int, console: Console) -> PatchSets:
    """The patches of each side, found and divided as the settings say."""
    return find_patch_sets(
        Path(data.data_dir),
        console,
        split=data.split,
        by=data.divide_by,
        val_fraction=data.val_fraction,
        test_fraction=data.test_fraction,
        seed=seed,
        allow_leak=data.allow_leak,
    )


def measure(
    train: Sequence[PatchRef],
    held_out: Sequence[PatchRef],
    data: SpectralDataSettings,
    seed: int,
    compute: Compute,
    console: Console,
) -> TrainingFits:
    """What the training side gives, read by one process; ``held_out`` only chooses the strength of the regression."""
    with console.progress("measured", len(train) + len(held_out)) as meter:
        fit = partial(
            fit_training_side,
            train,
            held_out,
            seed=seed,
            percentiles=data.percentiles,
            per_band=data.per_band,
            clip=data.clip_outliers,
            step=meter.step,
        )
        fits = compute.world.make_once(fit)
    if fits.note:
        console.warn(fits.note)
    return fits


def _hold_out(
    patches: Sequence[PatchRef], fits: TrainingFits, data: SpectralDataSettings, seed: int, factor: Fraction | None
) -> IndexedDataset:
    """Whole patches where all are of one size, so that every held-out pixel counts; else crops of their centres."""
    if not patches:
        return NoSamples()
    sizes = {(patch.file.height, patch.file.width) for patch in patches}
    size = data.crop_size if data.crop_size and len(sizes) > 1 else None
    return SpectralPairs(
        patches,
        landsat=fits.landsat,
        spectra=fits.spectra,
        size=size,
        seed=seed,
        augment=False,
        step=factor.numerator if factor else 1,
        factor=factor,
    )


def describe_bands(file: PatchFile) -> dict[str, Any]:
    """What a checkpoint says of the sensors; lists are empty and words blank where the files do not say."""
    axes = {"wavelength_nm": file.spectrum.wavelength_nm, "fwhm_nm": file.spectrum.fwhm_nm}
    return {
        "bands": file.bands,
        "landsat_bands": file.landsat_bands,
        **{name: [] if axis is None else axis.tolist() for name, axis in axes.items()},
        "sensor": file.sensor,
        "landsat_names": list(file.landsat_names),
        "unit": file.unit,
        "factor": str(file.factor),
    }
