"""Sets of images that need no partners."""

from __future__ import annotations

import numpy as np
import torch

from tests.worlds.pair_training import load_pairs, load_refused, scene_names
from tests.worlds.pairs import fields, save


def test_two_sets_of_true_pairs_hold_out_true_pairs(world, console):
    pairs = load_pairs(world, console, unpaired=True)
    assert pairs.matched and (len(pairs.train), len(pairs.held_out)) == (9, 3)
    assert scene_names(pairs.train).isdisjoint(scene_names(pairs.held_out))
    true = load_pairs(world, console)
    x, y = pairs.held_out[0, 1]
    assert torch.equal(x, true.held_out[0, 1][0]) and torch.equal(y, true.held_out[0, 1][1])
    images = {true.plain[0, k][1].numpy().tobytes() for k in range(9)}
    assert {pairs.train[3, k][1].numpy().tobytes() for k in range(9)} == images
    assert pairs.identity["split"] != true.identity["split"]


def test_two_sets_need_no_partners(tmp_path, console):
    for k in range(10):
        save(tmp_path / "x" / "s1" / f"radar{k}.png", fields(32, k)[0])
        if k < 6:
            save(tmp_path / "x" / "s2" / f"photo{k}.png", fields(32, 50 + k)[1])
    error = load_refused("RSF-D011", tmp_path, console, unpaired=True)
    # One folder is one region: a split by region could not be made either.
    assert (
        "rsforge data split" not in error.fix
        and "16 of 16" in error.what
        and all(w in error.fix for w in ("--allow-leak", "fraction 0"))
    )
    whole = load_pairs(tmp_path, console, unpaired=True, val_fraction=0)
    assert (len(whole.train), len(whole.held_out)) == (10, 0) and not console.warned
    loose = {"unpaired": True, "allow_leak": True}
    pairs = load_pairs(tmp_path, console, **loose)
    assert not pairs.matched and pairs.identity | {"split": ""} == {"split": "", "train": 8, "held_out": 2}
    assert console.has_line("10 SAR and 6 optical images") and console.has_line("in order")
    assert (
        len(console.warned) == 1
        and "scenes of 16 of 16 are unknown: neighbours may be in different subsets" in console.warned[0]
    )
    trained = {pairs.plain[0, k][0].numpy().tobytes() for k in range(8)}
    assert len(trained) == 8 and not trained & {pairs.held_out[0, k][0].numpy().tobytes() for k in range(2)}
    assert load_pairs(tmp_path, console, **loose).identity == pairs.identity
    assert load_pairs(tmp_path, console, **loose, max_per_terrain=4).identity["train"] == 3
    assert console.has_line("8 left out by --max-per-terrain 4")
    save(tmp_path / "x" / "s1" / "radar0.png", fields(32, 77)[1])
    assert load_pairs(tmp_path, console, **loose).identity != pairs.identity
    for path in (tmp_path / "x" / "s2").iterdir():
        path.unlink()
    assert "optical" in load_refused("RSF-D001", tmp_path, console, unpaired=True).what


def test_an_unreadable_one_of_two_sets(world, console):
    (world / "agri/s1/ROIs1970_fall_s1_0_p1.png").write_bytes(b"broken")
    error = load_refused("RSF-D002", world, console, unpaired=True)
    assert console.meters == [("checked", 24, 24)]
    assert "agri/s1/ROIs1970_fall_s1_0_p1.png" in error.found and error.what == "1 of 24 images cannot be used"
    pairs = load_pairs(world, console, unpaired=True, on_bad="skip", val_fraction=0)
    assert len(pairs.train.sar) == 11 and len(pairs.train.optical) == 12


def test_two_sets_survive_what_cannot_be_used_where_it_is_skipped(world, console):
    for path in sorted(world.glob("agri/s1/*.png")):
        path.write_bytes(b"broken")
    assert len(load_pairs(world, console, unpaired=True, on_bad="skip", val_fraction=0).train.sar) == 9
    save(world / "coast/s1/ROIs1970_fall_s1_1_p0.png", np.zeros((1, 60000), np.uint8))
    save(world / "coast/s2/ROIs1970_fall_s2_1_p0.png", np.zeros((1, 60000, 3), np.uint8))
    assert load_refused("RSF-D002", world, console, unpaired=True).what == "5 of 24 images cannot be used"
    save(world / "coast/s1/ROIs1970_fall_s1_1_p1.png", np.zeros((20, 20), np.uint8))
    save(world / "coast/s2/ROIs1970_fall_s2_1_p1.png", np.zeros((20, 20, 3), np.uint8))
    load_pairs(world, console, unpaired=True, on_bad="skip", val_fraction=0)
    assert console.has_line("2 of 19 images are smaller than --image-size 32")
    error = load_refused("RSF-D010", world / "urban", console, unpaired=True, on_bad="skip", radiometry="db")
    assert error.what == "3 of 6 images cannot be used"
