"""Pairs from the Data section, real or synthetic, as tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.io.rasters import read_raster
from rsforge.recipes.datasets import pairs as pair_datasets
from tests.worlds.geotiff_pairs import geotiffs
from tests.worlds.pair_training import load_pairs, load_refused, sample_names


def test_values_of_another_unit_are_refused(world, console):
    load_refused("RSF-D010", world, console, radiometry="db")


def test_the_output_folder_is_not_that_of_the_pairs(world, console):
    load_refused("RSF-U005", world, console, output=world)


def test_no_folder(tmp_path, console):
    assert "--data-dir synthetic" in load_refused("RSF-D001", tmp_path / "absent", console).fix


def test_nothing_is_cached_for_a_dry_run(world, console):
    console.dry_run = True
    assert load_pairs(world, console).train.sar.cached is None
    console.dry_run = False
    assert load_pairs(world, console).train.sar.cached is not None


def test_synthetic_pairs_are_divided_by_scene(console, monkeypatch):
    monkeypatch.setattr(pair_datasets, "SYNTHETIC_COUNT", 16)
    pairs = load_pairs("synthetic", console, image_size=32)
    assert pairs.identity["train"] == 12 and pairs.identity["held_out"] == 4
    assert console.has_line("16 synthetic pairs, not satellite images")
    assert sample_names(pairs.train).isdisjoint(sample_names(pairs.held_out))
    loose = load_pairs("synthetic", console, image_size=32, unpaired=True)
    x, y = loose.plain[0, 1]
    assert torch.equal(x, pairs.plain[0, 1][0]) and not torch.equal(y, pairs.plain[0, 1][1])
    assert torch.equal(loose.held_out[0, 0][1], pairs.held_out[0, 0][1]) and loose.matched
    load_refused("RSF-D004", "synthetic", console, val_fraction=0.9)


def test_synthesis_has_a_progress_bar(console, monkeypatch):
    monkeypatch.setattr(pair_datasets, "SYNTHETIC_COUNT", 16)
    load_pairs("synthetic", console)
    assert console.meters == [("synthetic pairs", 16, 16)]
    console.dry_run = True
    load_pairs("synthetic", console)
    assert len(console.meters) == 1


@pytest.mark.parametrize("unpaired", [False, True])
@pytest.mark.parametrize("kind", ["decibels", "sixteen bits", "colours"])
def test_sar_images_come_in_several_kinds(tmp_path, console, kind, unpaired):
    rng = np.random.default_rng(0)
    for k in range(3):
        values = {
            "decibels": rng.uniform(-24, -1, (32, 32, 2)).astype(np.float32),
            "sixteen bits": rng.integers(1, 4000, (32, 32, 1)).astype(np.uint16),
            "colours": rng.integers(0, 255, (32, 32, 3)).astype(np.uint8),
        }[kind]
        geotiffs(tmp_path, values, rng.integers(0, 255, (32, 32, 3)).astype(np.uint8))
        for folder in ("s1", "s2"):
            (tmp_path / folder / "a.tif").rename(tmp_path / folder / f"pair{k}.tif")
    pairs = load_pairs(tmp_path, console, val_fraction=0, unpaired=unpaired)
    bands, unit = {"decibels": (2, "db"), "sixteen bits": (1, "dn"), "colours": (1, "uint8")}[kind]
    assert (pairs.sar_channels, pairs.radiometry.unit, len(pairs.train)) == (bands, unit, 3)
    assert console.has_line("read as grey") == (kind == "colours")
    ours = {pairs.plain[0, k][0].numpy().tobytes() for k in range(3)}
    for k in range(3):
        stored = read_raster(tmp_path / "s1" / f"pair{k}.tif").values
        grey = np.asarray(Image.fromarray(stored).convert("L"))[..., None] if kind == "colours" else stored
        unit_values = pairs.radiometry.to_unit(grey)
        assert np.ascontiguousarray(np.moveaxis(unit_values, -1, 0)).tobytes() in ours and np.ptp(unit_values) > 0.5


@pytest.mark.parametrize("unpaired", [False, True])
def test_links_inside_the_folder_are_images(world, console, unpaired):
    store = world / ".store"
    store.mkdir()
    before = load_pairs(world, console, unpaired=unpaired)
    for number, path in enumerate(sorted(world.glob("*/s[12]/*.png"))):
        path.symlink_to(path.rename(store / f"{number}.png"))
    after = load_pairs(world, console, unpaired=unpaired)
    assert after.identity == before.identity and torch.equal(after.plain[0, 2][0], before.plain[0, 2][0])
