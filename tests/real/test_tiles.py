"""Real folders and real odd files: a right read or a clear refusal."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.data.io.image_reader import read_rgb
from rsforge.data.splits.tiles import split_tiles
from rsforge.errors import RsforgeError
from rsforge.metrics.linear_channel import fit_channel
from rsforge.recipes.evaluation.baselines import fit_baselines
from tests.worlds.noisy_channel import send

UNREADABLE = {
    "broken_data_stream.png": "unrecognized data stream",
    "crash-2020-10-test.tif": "",  # decoding fails, or its single bit is refused first, by the version of the reader
    "hopper_webp.tif": "",
    "lab.tif": "LAB",
    "no_palette.gif": "not an intact",
    "rasterio_corrupt.tif": "cannot be decoded",
    "separate_planar_extra_samples.tiff": "2 bands",
    "truncated_image.png": "truncated",
}
UPRIGHT = {
    "g4_orientation_5.tif": (88, 590),
    "orientation_rectangle.jpg": (2, 1),
    "hopper_orientation_6.jpg": (128, 128),
}


def test_corel_has_355_images_and_as_many_when_they_are_there_twice(real_data: Path, tmp_path: Path) -> None:
    root = real_data / "tiles" / "corel_128px_derived"
    once = scan(root)
    assert len(once.tiles) == 355 and not once.bad
    for link in ("all", "by_class"):
        (tmp_path / link).mkdir()
    for path in (tile.path for tile in once.tiles):
        (tmp_path / "all" / path.name).symlink_to(path)
        (tmp_path / "by_class" / path.name).symlink_to(path)
    twice = scan(tmp_path)
    assert len(twice.tiles) == 355 and len(twice.duplicates) == 355
    train, val, _ = split_tiles(once, val_fraction=0.1, seed=42)
    again = split_tiles(twice, val_fraction=0.1, seed=42)
    assert len(val) == 36 and {t.digest for t in val} == {t.digest for t in again[1]}
    assert len(train) == 319


def test_rsscn7_becomes_square_tensors(real_data: Path) -> None:
    index = scan(real_data / "tiles" / "rsscn7_128px_derived")
    data = TileDataset(index.tiles, image_size=64, seed=0, jitter=0.1)
    assert len(data) == len(index.tiles) > 400
    batch = torch.stack([data[1, k] for k in range(len(data))])
    assert batch.shape[1:] == (3, 64, 64) and batch.min() >= -1 and batch.max() <= 1
    assert 0.05 < batch.std() < 0.8


def test_every_odd_file_is_read_rightly_or_refused(real_data: Path) -> None:
    folder = real_data / "odd_files" / "images"
    paths = sorted(folder.iterdir())
    assert paths
    refused = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in paths:
            try:
                pixels = read_rgb(path)
            except RsforgeError as error:
                assert error.code == "RSF-D002" and str(path) in error.what
                refused[path.name] = error.what
            else:
                assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
                assert pixels.shape[:2] == UPRIGHT.get(path.name, pixels.shape[:2])
    here = {path.name for path in paths}
    assert set(refused) == UNREADABLE.keys() & here
    for name, what in refused.items():
        assert UNREADABLE[name] in what


def test_the_same_picture_in_other_encodings_looks_the_same(real_data: Path) -> None:
    folder = real_data / "odd_files" / "images"
    control = read_rgb(folder / "hopper.jpg").astype(float)
    for name in (
        "hopper_float_dpi_2.tif",
        "hopper.iccprofile.tif",
        "hopper_orientation_3.jpg",
        "hopper_orientation_6.jpg",
    ):
        assert np.abs(read_rgb(folder / name) - control).mean() < 6, name


def test_16_bit_values_are_scaled_by_their_declared_range(real_data: Path) -> None:
    path = real_data / "odd_files" / "images" / "16bit.MM.deflate.tif"
    with Image.open(path) as image:
        values = np.asarray(image).astype(float)
    assert values.max() > 255
    assert np.array_equal(read_rgb(path)[..., 0], np.rint(values / 257))


@pytest.mark.parametrize("pattern", ["geotiff/**/*.tif", "hyperspectral/**/*.tif", "sar_optical/**/S*/*.tif"])
def test_rasters_that_are_no_pictures_are_refused_with_their_kind(real_data: Path, pattern: str) -> None:
    for path in sorted(real_data.glob(pattern))[:40]:
        try:
            assert read_rgb(path).shape[2] == 3
        except RsforgeError as error:
            assert error.code == "RSF-D002" and "damaged" not in error.what


def test_the_linear_channel_of_the_split_that_readme_measures(real_data: Path) -> None:
    index = scan(real_data / "tiles" / "rsscn7_128px_derived")
    train, val, _ = split_tiles(index, val_fraction=0.1, seed=42)
    common = {"image_size": 32, "seed": 0, "flip": 0.0}
    fitted = fit_baselines(TileDataset(train, **common), latent_shape=(16,), mirrored=True)["pca"]
    samples = TileDataset(val, **common)
    x = torch.stack([samples[0, k] for k in range(len(samples))])
    channel = fit_channel(fitted["mean"], fitted["components"], fitted["variances"], 24.4)
    assert float((send(channel, fitted["variances"], x) - x).square().mean()) == pytest.approx(0.0425, abs=3e-4)
