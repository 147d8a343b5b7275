from __future__ import annotations

from fractions import Fraction

import h5py
import numpy as np
import pytest
import torch

from rsforge.data.cubes import resample
from rsforge.data.spectra.pair_dataset import SpectralPairs
from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.scaling import Scaling
from rsforge.data.spectra.spatial_dataset import (
    PredictedPairs,
    SpatialPairs,
    area_mean,
    describe_landsat,
    high_size,
    landsat_at_its_pixels,
    largest_low_size,
)
from rsforge.engine.loader import BatchLoader
from rsforge.errors import RsforgeError
from tests.worlds.spectral_patches import drop, edit, write_scene

FACTOR = Fraction(15, 2)


@pytest.fixture
def pairs(tmp_path):
    write_scene(tmp_path / "a" / "test_patches.h5", 2, hole=4, size=37)
    patches = list_patches(find_patch_files(tmp_path))
    return SpectralPairs(patches, landsat=Scaling((0.0,), (9.0,)), spectra=Scaling((0.0,), (9.0,)), size=30, seed=0)


def test_sizes_are_exact():
    assert high_size(34, FACTOR) == 255 and largest_low_size(256, FACTOR) == 34
    assert high_size(3, Fraction(4)) == 12 and largest_low_size(14, Fraction(4)) == 3
    for action, code in (
        (lambda: high_size(33, FACTOR), "RSF-U005"),
        (lambda: largest_low_size(14, FACTOR), "RSF-D003"),
    ):
        with pytest.raises(RsforgeError) as caught:
            action()
        assert caught.value.code == code


def test_low_is_the_area_mean_of_high_with_the_same_edges(pairs):
    data = SpatialPairs(pairs, factor=FACTOR, low_size=4)
    sample = data[2, 1]
    assert {name: tuple(value.shape) for name, value in sample.items()} == {
        "low": (12, 4, 4), "high": (12, 30, 30), "low_valid": (1, 4, 4), "valid": (1, 30, 30), "landsat": (3, 30, 30),
    }  # fmt: skip
    assert torch.equal(sample["high"], pairs[2, 1]["spectra"]) and len(data) == 2
    weights = resample.area_weights(30, FACTOR)
    image, valid = sample["high"].permute(1, 2, 0).numpy(), sample["valid"][0].numpy() > 0
    means, share = resample.area_mean(image, valid, weights, weights)
    assert np.allclose(sample["low"].permute(1, 2, 0), means * (share >= 0.5)[..., None], atol=1e-5)
    corner = sample["high"][:, :8, :8] * torch.tensor([1.0] * 7 + [0.5]) * torch.tensor([1.0] * 7 + [0.5])[:, None]
    if sample["valid"][0, :8, :8].all():
        assert torch.allclose(sample["low"][:, 0, 0], corner.sum((1, 2)) / 7.5**2, atol=1e-5)


def test_there_is_no_shift_between_the_resolutions():
    """A ramp keeps its values: the mean of pixel i is that of 7.5 (i + 1/2), but for 1/60 where pixels are halved."""
    ramp = (torch.arange(255.0) + 0.5).expand(1, 255, 255)
    weights = torch.from_numpy(resample.area_weights(255, FACTOR)).float()
    low, holds = area_mean(ramp, torch.ones(1, 255, 255), weights)
    apart = low[0, 5] - 7.5 * (torch.arange(34.0) + 0.5)
    assert apart.abs().max() < 0.0168 and apart.mean().abs() < 1e-4 and holds.all()
    mirrored, _ = area_mean(ramp.flip(-1), torch.ones(1, 255, 255), weights)
    assert torch.allclose(mirrored.flip(-1), low, rtol=1e-5)


def test_means_are_over_valid_pixels_and_need_half_of_the_area():
    image, valid = torch.ones(2, 8, 8), torch.ones(1, 8, 8)
    image[:, :4, :3], valid[:, :4, :3] = 99, 0
    image[:, 4:, :2], valid[:, 4:, :2] = 99, 0
    low, holds = area_mean(image, valid, torch.from_numpy(resample.area_weights(8, Fraction(4))).float())
    assert holds.tolist() == [[[0, 1], [1, 1]]] and low[1].tolist() == [[0, 1], [1, 1]]
    assert torch.equal(area_mean(image[None], valid[None], torch.eye(8))[0][0], image * valid)


def test_plain_samples_are_not_augmented_and_batches_are_mappings(pairs):
    data = SpatialPairs(pairs, factor=FACTOR, low_size=4)
    plain = data.plain()
    assert torch.equal(plain[0, 0]["high"], plain[7, 0]["high"]) and plain.name(1) == "a/test_patches.h5#1"
    batch = next(BatchLoader(data, batch_size=2).steps(0, 1))[0].batch
    assert batch["low"].shape == (2, 12, 4, 4)


def test_crops_of_another_size_are_refused(pairs):
    with pytest.raises(RsforgeError) as caught:
        SpatialPairs(pairs, factor=FACTOR, low_size=2)
    assert caught.value.code == "RSF-U005" and "need crops of 15, not of 30" in caught.value.what


def test_means_of_images_that_are_not_square():
    image = torch.rand(2, 6, 8)
    rows, cols = (torch.from_numpy(resample.area_weights(side, Fraction(2))).float() for side in (6, 8))
    low, holds = area_mean(image, torch.ones(1, 6, 8), rows, cols)
    assert low.shape == (2, 3, 4) and holds.all()
    assert torch.allclose(low[1, 2, 3], image[1, 4:, 6:].mean())


@pytest.fixture
def wide(tmp_path):
    """Crops of patches in which several fit, at whole coarse pixels."""
    write_scene(tmp_path / "b" / "test_patches.h5", 2, hole=4, size=67)
    patches = list_patches(find_patch_files(tmp_path))
    scaling = Scaling((0.0,), (9.0,))
    pairs = SpectralPairs(patches, landsat=scaling, spectra=scaling, size=30, seed=0, step=15, crops_per_patch=3)
    return SpatialPairs(pairs, factor=FACTOR, low_size=4)


def predict_truth(data):
    """What a perfect first stage would predict for whole patches, (N, B, 8, 8)."""
    weights = torch.from_numpy(resample.area_weights(60, FACTOR)).float()
    rows = []
    for patch in data.pairs.patches:
        pixels = data.pairs.reader.read(patch)
        image = torch.from_numpy(data.pairs.spectra.normalise(pixels.spectra)).permute(2, 0, 1)[:, :60, :60]
        valid = torch.from_numpy(pixels.valid[None, :60, :60]).float()
        rows.append(area_mean(image * valid, valid, weights)[0])
    return torch.stack(rows).numpy()


def test_trap_08_predictions_are_cut_and_turned_as_the_crop_is(wide):
    """A perfect prediction of the patch, cut at the resolution of Landsat, is the mean of the crop."""
    data = PredictedPairs(wide, predict_truth(wide))
    assert len(data) == 6 and data.name(4) == wide.name(4)
    windows = set()
    for key in ((epoch, index) for epoch in range(3) for index in range(6)):
        one, true = data[key], wide[key]
        assert torch.allclose(one["low"], true["low"], atol=1e-5) and torch.equal(one["high"], true["high"])
        windows.add(wide.pairs.window(key)[:2])
    assert len(windows) > 3


def test_trap_09_loader_workers_cut_the_same_predictions(wide):
    """What stage 1 predicts is stored before, so that processes which read run no network."""
    data, batches = PredictedPairs(wide, predict_truth(wide)), {}
    for workers in (0, 2):
        loader = BatchLoader(data, batch_size=2, seed=1, workers=workers)
        batches[workers] = [micro[0].batch for micro in loader.steps(0, 3)]
    for one, other in zip(batches[0], batches[2], strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_share_of_the_samples_is_predicted_by_the_key_alone(wide):
    predicted = predict_truth(wide) * 0 + 7
    data = PredictedPairs(wide, predicted, share=0.5)
    taken = [[bool((data[epoch, k]["low"] == 7).any()) for k in range(6)] for epoch in range(20)]
    assert taken == [[bool((data[epoch, k]["low"] == 7).any()) for k in range(6)] for epoch in range(20)]
    assert 40 < sum(map(sum, taken)) < 80 and len(set(map(tuple, taken))) > 5
    assert not any((PredictedPairs(wide, predicted, share=0)[0, k]["low"] == 7).any() for k in range(6))
    assert all((PredictedPairs(wide, predicted)[0, k]["low"][:, 3, 3] == 7).all() for k in range(6))


def test_a_pixel_that_landsat_has_no_data_of_is_no_valid_one(wide):
    """Valid in the spectra, and without a prediction: it is no measured 0, and counts like a hole."""
    predicted = predict_truth(wide)
    predicted[:, :, 3, 5] = np.nan
    data, holes = PredictedPairs(wide, predicted), 0
    for key in ((epoch, index) for epoch in range(3) for index in range(6)):
        sample, true = data[key], wide[key]
        hole = (true["low_valid"] > 0) & (sample["low_valid"] == 0)
        holes += int(hole.sum())
        assert sample["low"].isfinite().all() and not sample["low"][hole.expand_as(sample["low"])].any()
        held = sample["low_valid"].expand_as(sample["low"]) > 0
        assert torch.allclose(sample["low"][held], true["low"][held], atol=1e-5)
    assert holes > 5


def test_predictions_need_crops_at_whole_coarse_pixels(pairs):
    data = SpatialPairs(pairs, factor=FACTOR, low_size=4)
    with pytest.raises(RuntimeError, match="crops at every 1 pixels"):
        PredictedPairs(data, np.zeros((2, 12, 4, 4), np.float32))


def test_landsat_is_what_was_measured_and_not_what_was_enlarged_from_it(tmp_path):
    """Files of 38 pixels have 5 of Landsat, and stage 2 takes 4; one that is valid by less than half is none."""
    path = write_scene(tmp_path / "x.h5", 1, size=38)
    edit(path, "valid", (0, slice(0, 5), slice(0, 8)), 0)
    edit(path, "landsat_native", (0, 3, 1), -9999)
    with h5py.File(path) as file:
        native = file["landsat_native"][0, :4, :4].transpose(2, 0, 1)
    native[:, 0, 0] = native[:, 3, 1] = np.nan
    ref = list_patches(find_patch_files(tmp_path))[0]
    pixels = PatchReader().read(ref)
    assert pixels.native.shape == (5, 5, 3) and pixels.width == FACTOR and describe_landsat([ref.file], FACTOR) == ""
    np.testing.assert_array_equal(landsat_at_its_pixels(pixels, FACTOR), native)
    means = landsat_at_its_pixels(pixels._replace(native=None), FACTOR)
    enlarged = np.where(pixels.valid[..., None], pixels.landsat, np.nan)[8:15, 8:15].mean((0, 1))
    assert means[:, 1, 1].numpy() == pytest.approx(enlarged, rel=0.05) and means[:, 0, 0].isnan().all()
    assert (means - torch.from_numpy(native)).abs().nan_to_num().max() > 0.1
    assert landsat_at_its_pixels(pixels, Fraction(3)).shape == (3, 12, 12)  # other pixels than Landsat's


def test_what_stands_for_landsat_is_said_of_old_files(tmp_path):
    for name in "ab":
        write_scene(tmp_path / f"{name}.h5", 1)
    files = find_patch_files(tmp_path)
    assert describe_landsat([*files, *files], FACTOR) == ""
    assert describe_landsat(files, Fraction(3)).startswith("2 of 2 files with pixels of another width than 3: means of")
    drop(tmp_path / "b.h5", "landsat_native", "landsat_native_valid")
    files = find_patch_files(tmp_path)
    assert describe_landsat(files, FACTOR).startswith("1 of 2 files with no landsat_native: means of landsat over each")
    assert describe_landsat(files[1:], FACTOR).startswith("b.h5 with no landsat_native")
