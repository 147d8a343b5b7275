"""What stage 2 is trained on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.models.spectral.resize import resize
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.hsi.load import load_spectral
from rsforge.recipes.hsi.spatial_pairs import find_low_size, load_spatial_pairs, use_predictions
from rsforge.recipes.training.job import Compute
from rsforge.settings.hsi_spatial import SpatialTrainSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.spectral_patches import write_scene

COMPUTE = Compute(torch.device("cpu"), SingleProcess())
FACTOR = Fraction(15, 2)


def load(root, stage1=None, console=None, scale="7.5", **data):
    given = {"data_dir": str(root), "source": "stage1" if stage1 else "truth", "stage1_checkpoint": stage1, **data}
    settings = SpatialTrainSettings(data=given, network={"scale": scale})
    return settings, load_spatial_pairs(settings, COMPUTE, console or RecordingConsole())


def test_trap_07_patches_are_cut_to_whole_coarse_pixels_and_never_resized(tmp_path):
    write_scene(tmp_path / "x.h5", 2, size=32)
    _, sets = load(tmp_path, val_fraction=0, augment=False)
    sample, whole = sets.train[0, 0], sets.train.pairs.reader.read(sets.train.pairs.patches[0])
    assert sample["low"].shape == (12, 4, 4)
    high = sets.spectra.normalise(whole.spectra)[:30, :30].transpose(2, 0, 1)
    assert np.array_equal(sample["high"].numpy(), high)
    assert isinstance(sets.inputs[1], NoSamples) and sets.held_out is None


def test_sizes_that_no_coarse_pixels_fill_are_refused(scenes):
    patches = list_patches(find_patch_files(scenes))
    assert find_low_size(patches, 0, FACTOR) == 4 and find_low_size(patches, 15, FACTOR) == 2
    assert find_low_size(patches, 0, Fraction(10, 3)) == 9
    with pytest.raises(RsforgeError) as caught:
        find_low_size(patches, 32, FACTOR)
    assert caught.value.code == "RSF-U005" and "such as 30" in caught.value.fix
    with pytest.raises(RsforgeError) as caught:
        find_low_size(patches, 0, Fraction(31))
    assert caught.value.code == "RSF-D003"


def test_held_out_patches_are_whole_and_the_division_is_that_of_stage_1(scenes, stage1):
    console = RecordingConsole()
    _, sets = load(scenes, stage1, console, crop_size=15, crops_per_patch=2)
    assert len(sets.train) == 12 and len(sets.held_out) == 3
    assert sets.train[0, 0]["high"].shape == (12, 15, 15) and sets.held_out[0, 0]["high"].shape == (12, 30, 30)
    assert not console.warned
    load(scenes, stage1, console, val_fraction=0)
    assert any("another split" in line for line in console.warned)


def test_the_normalisation_is_that_of_stage_1(scenes, stage1):
    model = load_spectral(stage1, torch.device("cpu"))
    _, sets = load(scenes, stage1, percentiles=(20, 80), val_fraction=0)
    assert sets.spectra == model.spectra and sets.train.pairs.landsat == model.landsat
    _, own = load(scenes, percentiles=(20, 80), val_fraction=0)
    assert own.spectra != model.spectra and own.stage1 is None


@pytest.mark.parametrize("source", ["stage1", "mix"])
def test_what_is_enlarged_is_what_stage_1_predicts(scenes, stage1, tmp_path, source):
    settings, sets = load(scenes, stage1, source=source, augment=False)
    ready = use_predictions(settings, sets, tmp_path, COMPUTE, RecordingConsole())
    train, held_out = ready.inputs
    other = [not torch.equal(train[0, k]["low"], sets.train[0, k]["low"]) for k in range(len(train))]
    assert all(other) if source == "stage1" else 0 < sum(other) < len(other)
    assert all(torch.equal(train[0, k]["high"], sets.train[0, k]["high"]) for k in range(len(train)))
    assert not torch.equal(held_out[0, 1]["low"], sets.held_out[0, 1]["low"])  # as in its use
    assert len(list(tmp_path.iterdir())) == 2


def test_the_truth_needs_no_stage_1(scenes, tmp_path):
    settings, sets = load(scenes, stage1_checkpoint=tmp_path / "nothing.pth")
    ready = use_predictions(settings, sets, tmp_path / "none", COMPUTE, RecordingConsole())
    assert ready is sets and not (tmp_path / "none").exists() and sets.inputs[0] is sets.train


def test_the_error_of_bicubic_resampling_is_measured_by_band(scenes):
    _, sets = load(scenes, val_fraction=0)
    squares = []
    for k in range(len(sets.train)):
        sample = sets.train.plain()[0, k]
        if sample["low_valid"].all():
            error = resize(sample["low"][None], FACTOR)[0] - sample["high"]
            squares.append(error[:, sample["valid"][0] > 0].double().square().mean(1).numpy())
    np.testing.assert_allclose(sets.start.error, np.sqrt(np.mean(squares, 0)), rtol=0.02)


def test_another_scale_than_that_of_the_patches_is_said(scenes, stage1):
    console = RecordingConsole()
    load(scenes, stage1, console, scale="3")
    assert any("--scale is 3" in line for line in console.warned)
    console = RecordingConsole()
    load(scenes, None, console, scale="3")
    assert not console.warned
