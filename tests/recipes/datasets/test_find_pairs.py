"""Pairs that are found and judged: what is missing, bad or unlike the others."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from rsforge.data.sar.radiometry import Radiometry
from tests.worlds.geotiff_pairs import geotiffs
from tests.worlds.pair_training import TERRAINS, load_pairs, load_refused
from tests.worlds.pairs import fields, save


@pytest.mark.parametrize("lost", ["s1", "s2"])
def test_a_missing_partner_is_an_error_or_left_out(world, console, lost):
    there = {"s1": "s2", "s2": "s1"}[lost]
    (world / f"agri/{lost}/ROIs1970_fall_{lost}_0_p1.png").unlink()
    error = load_refused("RSF-D009", world, console)
    assert f"agri/{there}/ROIs1970_fall_{there}_0_p1.png" in error.found and "1 file without a partner" in error.what
    assert "--on-bad skip" in error.fix and "rsforge data audit" in error.fix
    pairs = load_pairs(world, console, on_bad="skip")
    assert pairs.identity["train"] + pairs.identity["held_out"] == 11 and console.has_line(
        "1 file without a partner left"
    )


def test_an_empty_terrain_is_named(world, console):
    for folder in ("s1", "s2"):
        (world / "desert" / folder).mkdir(parents=True)
    (world / "bare").mkdir()
    assert len(load_pairs(world, console, val_fraction=0).train) == 12 and console.has_line("no pairs in desert, bare")
    error = load_refused("RSF-D009", world, console, terrains=("agri", "desert"))
    assert "desert" in error.what and error.found == "no images in desert/s1, desert/s2"
    shutil.rmtree(world / "bare")
    for terrain in TERRAINS:
        shutil.rmtree(world / terrain)
    assert "no images in desert/s1, desert/s2" in load_refused("RSF-D009", world, console).what


def test_an_empty_folder_of_a_terrain_is_named(world, console):
    for path in (world / "agri" / "s1").iterdir():
        path.unlink()
    assert "no images in agri/s1" in load_refused("RSF-D009", world, console, terrains=("agri",)).what
    for on_bad in ("error", "skip"):
        error = load_refused("RSF-D009", world, console, terrains=("agri", "coast"), on_bad=on_bad)
        assert "terrain agri has no pairs" in error.what and error.found == "no images in agri/s1"


def test_a_terrain_without_one_modality_is_a_fault_where_it_is_taken(world, console):
    shutil.rmtree(world / "agri" / "s2")
    assert "there is no s2" in load_refused("RSF-D009", world, console).found
    assert len(load_pairs(world, console, terrains=("coast", "urban"), val_fraction=0).train) == 6


def test_a_cut_is_reported(world, console):
    assert len(load_pairs(world, console, max_per_terrain=2).train) == 6
    assert console.has_line("8 of 12 taken, the first by --max-per-terrain (agri: 2 of 3")


def test_grey_targets_need_a_word(world, console):
    for path in sorted(world.glob("*/s2/*.png")):
        save(path, fields(32, 1)[0])
    error = load_refused("RSF-D009", world, console)
    assert "12 of 12 pairs cannot be used" in error.what and "--allow-gray-optical" in error.fix
    assert "--on-bad skip" not in error.fix
    assert load_pairs(world, console, allow_gray_optical=True, val_fraction=0).train[0, 0][1].shape[0] == 3


def test_faults_of_several_kinds_are_reported_together(world, console):
    save(world / "agri/s2/ROIs1970_fall_s2_0_p0.png", fields(32, 1)[0])
    (world / "agri/s1/ROIs1970_fall_s1_0_p1.png").write_bytes(b"broken")
    error = load_refused("RSF-D002", world, console)
    assert "--allow-gray-optical" in error.fix and "--on-bad skip" in error.fix and "2 of 12" in error.what
    for path in world.rglob("s1/*.png"):
        path.write_bytes(b"broken")
    load_refused("RSF-D002", world, console, on_bad="skip")


def test_only_some_of_many_bad_pairs_are_named(world, console):
    for path in sorted(world.glob("*/s1/*.png"))[:7]:
        path.write_bytes(b"broken")
    assert "and 2 more" in load_refused("RSF-D002", world, console).found
    assert len(load_pairs(world, console, on_bad="skip", val_fraction=0).train) == 5 and console.has_line(
        "left out 2 more"
    )


def test_bands_are_those_of_most(tmp_path, console):
    for k in range(3):
        values = np.full((32, 32, 1 + (k > 0)), -9.0 - k, np.float32)
        geotiffs(tmp_path, values, np.full((32, 32, 3), k, np.uint8))
        for folder in ("s1", "s2"):
            (tmp_path / folder / "a.tif").rename(tmp_path / folder / f"pair{k}.tif")
    error = load_refused("RSF-D009", tmp_path, console, val_fraction=0)
    assert "pair0" in error.found and "1 band where most have 2" in error.found
    pairs = load_pairs(tmp_path, console, val_fraction=0, on_bad="skip")
    assert (pairs.sar_channels, len(pairs.train), pairs.radiometry) == (2, 2, Radiometry("db", -25, 0))


def test_mixed_sizes_become_one(world, console):
    for k, (height, width) in enumerate([(40, 64), (20, 20)]):
        sar, optical = fields(64, k)
        save(world / f"agri/s1/ROIs1970_fall_s1_0_p{k}.png", sar[:height, :width])
        save(world / f"agri/s2/ROIs1970_fall_s2_0_p{k}.png", optical[:height, :width])
    pairs = load_pairs(world, console, val_fraction=0)
    assert {(x.shape, y.shape) for x, y in (pairs.train[0, k] for k in range(12))} == {((1, 32, 32), (3, 32, 32))}
    assert console.has_line("1 of 12 pairs are smaller than --image-size 32: enlarged")


def test_a_shape_that_cannot_be_squared_is_named(world, console):
    save(world / "agri/s1/ROIs1970_fall_s1_0_p0.png", np.zeros((1, 60000), np.uint8))
    save(world / "agri/s2/ROIs1970_fall_s2_0_p0.png", np.zeros((1, 60000, 3), np.uint8))
    assert "60000 x 1" in load_refused("RSF-D003", world, console).found


def test_colours_of_sar_are_reported(world, console):
    for path in sorted(world.glob("*/s1/*.png")):
        save(path, np.repeat(fields(32, 1)[0][..., None], 3, 2))
    assert load_pairs(world, console, val_fraction=0).sar_channels == 1 and console.has_line("read as grey")
    assert "4 scenes hang together by equal files" in load_refused("RSF-D004", world, console).found
