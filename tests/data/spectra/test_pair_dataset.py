from __future__ import annotations

from fractions import Fraction

import h5py
import numpy as np
import pytest
import torch

from rsforge.data.cubes.resample import area_weights
from rsforge.data.io.windows import Window
from rsforge.data.spectra.augment import POSITIONS, turn
from rsforge.data.spectra.pair_dataset import SpectralPairs
from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.scaling import Scaling
from rsforge.data.spectra.spatial_dataset import area_mean
from rsforge.engine.loader import BatchLoader
from rsforge.errors import RsforgeError
from tests.worlds.spectral_patches import WEIGHTS, edit, write_plain, write_scene

LANDSAT, SPECTRA = Scaling((0.0,), (10.0,)), Scaling((1.0,), (6.0,))


@pytest.fixture
def patches(tmp_path):
    write_scene(tmp_path / "a" / "test_patches.h5", 2, hole=4)
    write_scene(tmp_path / "b" / "test_patches.h5", 1, seed=5)
    return list_patches(find_patch_files(tmp_path))


def pairs(patches, size: int | None = 12, **options) -> SpectralPairs:
    return SpectralPairs(patches, landsat=LANDSAT, spectra=SPECTRA, size=size, seed=3, **options)


def test_a_sample_is_a_normalised_crop_of_both_sensors(patches):
    data = pairs(patches, augment=False)
    sample = data[0, 2]
    data.reader.close()
    with h5py.File(patches[2].file.path) as file:
        spectra, landsat = file["aviris"][0, 9:21, 9:21], file["landsat"][0, 9:21, 9:21]
    assert np.allclose(sample["spectra"].permute(1, 2, 0), (spectra - 1) / 5, atol=1e-6)
    assert np.allclose(sample["landsat"].permute(1, 2, 0), landsat / 10, atol=1e-6)
    assert sample["valid"].shape == (1, 12, 12) and sample["valid"].all()
    assert {value.dtype for value in sample.values()} == {torch.float32} and len(data) == 3
    assert data.name(2) == "b/test_patches.h5#0"


def test_crops_and_positions_follow_the_key_alone_and_fit_both_sensors(patches):
    data = pairs(patches, crops_per_patch=4)
    assert len(data) == 12 and data.name(5) == "a/test_patches.h5#1"
    one = data[1, 5]
    assert all(torch.equal(one[name], value) for name, value in pairs(patches, crops_per_patch=4)[1, 5].items())
    assert not torch.equal(one["spectra"], data[2, 5]["spectra"])
    assert not torch.equal(one["spectra"], data[1, 4]["spectra"])
    window = data.window((1, 5))
    plain = data.reader.read(patches[1], window)
    moved = one["spectra"].permute(1, 2, 0).numpy()
    stretched = one["landsat"].permute(1, 2, 0).numpy()
    found = [
        k
        for k in range(POSITIONS)
        if np.allclose(turn(SPECTRA.normalise(plain.spectra), k) * turn(plain.valid, k)[..., None], moved)
    ]
    assert len(found) == 1
    assert np.allclose(turn(LANDSAT.normalise(plain.landsat), found[0]), stretched)


def test_plain_samples_are_the_centres_as_they_lie(patches):
    plain = pairs(patches, crops_per_patch=4).plain()
    assert len(plain) == 3 and torch.equal(plain[0, 1]["spectra"], plain[9, 1]["spectra"])
    assert torch.equal(plain[0, 1]["spectra"], pairs(patches, augment=False)[0, 1]["spectra"])


def test_invalid_pixels_are_zero_in_both_sensors(patches):
    sample = pairs(patches, size=None, augment=False)[0, 0]
    hole = sample["valid"][0] == 0
    assert hole.sum() == 16 and hole[:4, :4].all()
    assert not sample["spectra"][:, hole].any() and not sample["landsat"][:, hole].any()


def test_crops_that_do_not_fit_and_patches_that_make_no_batch_are_refused(patches, tmp_path):
    for data, size, why in (
        (patches, 31, "does not fit"),
        ([*patches, *list_patches(find_patch_files(_other(tmp_path)))], None, "make no batch"),
    ):
        with pytest.raises(RsforgeError) as caught:
            pairs(data, size=size)
        assert caught.value.code == "RSF-D003" and why in caught.value.what and "30 x 30" in caught.value.found
    with pytest.raises(RsforgeError) as caught:
        pairs([])
    assert caught.value.code == "RSF-D004"


def _other(tmp_path):
    write_plain(tmp_path / "other" / "x.h5", 1, landsat=3)
    return tmp_path / "other"


def test_a_normalisation_of_other_bands_is_refused(patches):
    with pytest.raises(RsforgeError) as caught:
        SpectralPairs(patches, landsat=LANDSAT, spectra=Scaling((0.0,) * 5, (1.0,) * 5), size=8, seed=0)
    assert caught.value.code == "RSF-D008" and "for 5 bands, the patches have 12" in caught.value.what


def test_loader_workers_read_the_same_batches(patches):
    data = pairs(patches, crops_per_patch=2)
    data[0, 0]  # the files are open before the processes begin
    batches = {}
    for workers in (0, 2):
        loader = BatchLoader(data, batch_size=2, seed=1, workers=workers)
        batches[workers] = [micro[0].batch for micro in loader.steps(0, 4)]
    assert batches[0][0]["spectra"].shape == (2, 12, 12, 12)
    for one, other in zip(batches[0], batches[2], strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_nan_in_a_file_reaches_the_trainer_as_a_named_error(tmp_path):
    path = write_plain(tmp_path / "x.h5", 1)
    edit(path, "aviris", (0, 8, 8, 2), np.nan)
    data = pairs(list_patches(find_patch_files(tmp_path)), size=16)
    with pytest.raises(RsforgeError) as caught:
        next(BatchLoader(data, batch_size=1, workers=1).steps(0, 1))
    assert caught.value.code == "RSF-D008" and "row 8, column 8, band 3" in caught.value.what


def test_patches_in_one_chunk_and_in_tiles_give_the_same_samples(tmp_path):
    """Files of before the tiles, and those of the document, are read as ever."""
    path = write_plain(tmp_path / "old" / "x.h5", 1, size=48)
    (tmp_path / "new").mkdir()
    with h5py.File(path) as old, h5py.File(tmp_path / "new" / "x.h5", "w") as new:
        for name in ("landsat", "aviris"):
            values = old[name][:]
            assert old[name].chunks == values.shape
            new.create_dataset(name, data=values, chunks=(1, 16, 16, values.shape[3]), compression="gzip", shuffle=True)
    samples = [pairs(list_patches(find_patch_files(tmp_path / name)), size=20)[4, 0] for name in ("old", "new")]
    assert all(torch.equal(samples[0][name], samples[1][name]) for name in samples[0])


def test_landsat_at_its_own_pixels_is_the_mean_of_each_crop_however_it_lies(tmp_path):
    """A crop that whole pixels of Landsat do not fill is compared where it holds them."""
    path = write_scene(tmp_path / "x.h5", 2, size=47, hole=9)
    edit(path, "landsat_native_valid", (0, 3, 3), 0)
    patches, weights = list_patches(find_patch_files(tmp_path)), torch.from_numpy(WEIGHTS).float()
    data = pairs(patches, size=26, step=15, factor=Fraction(15, 2), crops_per_patch=12)
    places, missing = set(), 0
    for key in ((epoch, index) for epoch in range(3) for index in range(24)):
        sample = data[key]
        assert sample["native"].shape == (3, 3, 3) and sample["rows"].shape == sample["cols"].shape == (3, 26)
        seen = torch.einsum("kb,bhw->khw", weights, sample["spectra"] * 5 + 1) / 10 * sample["valid"]
        means, holds = area_mean(seen, sample["valid"], sample["rows"], sample["cols"])
        known = (sample["native_valid"] * holds > 0).expand_as(means)
        torch.testing.assert_close(means[known], sample["native"][known], rtol=1e-4, atol=1e-5)
        missing += int(((sample["native_valid"] == 0) & (holds > 0)).sum())
        places.add((data.position(key), data.window(key)[:2]))
    assert len(places) > 20 and missing
    with pytest.raises(IndexError, match="begins within a pixel of Landsat"):
        data.reader.read(patches[0], Window(0, 4, 20, 20), native=True)
    whole = pairs(patches, size=None, augment=False, factor=Fraction(15, 2))[0, 0]
    assert np.allclose(whole["rows"], area_weights(47, Fraction(15, 2))) and whole["native"].shape == (3, 6, 6)
