"""The pairs that a checkpoint is measured on: a subset of a split, the division of its training, or all."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from rsforge.data.pairs.index import find_pairs
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.splits.split_file import load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets import pairs as pair_datasets
from rsforge.recipes.datasets import pairs_of_checkpoint
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.settings.pairs import PairDataSettings
from tests.worlds.commands import rsforge
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pair_training import TERRAINS, load_pairs, sample_names, state_of
from tests.worlds.pairs import fields, save, write_pairs


def measured(root, subset, state, console, *, on_bad="error", **data) -> MeasuredSubset:
    return open_subset(PairDataSettings(data_dir=str(root), **data), subset, console, on_bad=on_bad, state=state)


def test_every_pair_is_measured_as_the_checkpoint_takes_it(world, console):
    state = state_of(load_pairs(world, console), world) | {
        "image_size": 16,
        "images": {"split": "other"},
        "trained": (),
    }
    state["radiometry"] = asdict(Radiometry("uint8", 0, 100))
    console.warned.clear()
    found = measured(world, "all", state, console)
    assert [found.samples.name(k) for k in range(12)] == [pair.name for pair in find_pairs(world).pairs]
    assert found.scenes[:4] == ["ROIs1970_fall_0"] * 3 + ["ROIs1970_fall_1"] and not console.warned
    assert found.samples[0, 0][0].shape == (1, 16, 16)
    assert (
        found.samples[0, 0][0].mean()
        > measured(world, "all", state, console, clip=(0.0, 255.0)).samples[0, 0][0].mean()
    )
    state["sar_channels"] = 2
    with pytest.raises(RsforgeError, match="the model takes 2") as caught:
        measured(world, "all", state, console)
    assert caught.value.code == "RSF-D009"
    with pytest.raises(RsforgeError) as caught:
        measured(world, "all", state, console, radiometry="db")
    assert caught.value.code == "RSF-D010"


@pytest.mark.parametrize("options", [{}, {"unpaired": True}, {"terrains": TERRAINS[:3], "max_per_terrain": 2}])
def test_the_division_of_the_training_is_made_again(world, console, options):
    pairs = load_pairs(world, console, seed=3, **options)
    state = state_of(pairs, world, seed=3, **options)
    val, train = (measured(world, side, state, console) for side in ("val", "train"))
    assert sample_names(val.samples) == sample_names(pairs.held_out) and len(train.samples) == len(pairs.train)
    assert not console.warned and len(set(val.scenes)) == 1
    asked = measured(world, "all", state, console, **options and {"terrains": options.get("terrains", ())})
    assert len(asked.samples) >= len(pairs.train) + len(pairs.held_out)
    assert asked.trained == train.trained == len(pairs.train) and val.trained == 0
    assert console.has_line(f"trained on {len(pairs.train)} of these {len(asked.samples)} pairs")


@pytest.mark.parametrize("unpaired", [False, True])
def test_what_was_trained_on_is_known_by_its_contents(world, console, unpaired):
    """Whatever part of the data is measured, under whatever names."""
    pairs = load_pairs(world, console, unpaired=unpaired)
    state, seen = state_of(pairs, world, unpaired=unpaired), len(pairs.train)
    console.warned.clear()
    first = next(iter(TERRAINS))
    part = measured(world, "all", state, console, terrains=(first,))
    held = sum(name.startswith(first) for name in sample_names(pairs.held_out))
    assert part.trained == len(part.samples) - held
    assert not part.trained or console.has_line("trained on")
    for path in sorted((world / first).rglob("*.png")):
        path.rename(path.with_name(path.name.replace("ROIs1970", "ROIs2017")))
    assert measured(world, "all", state, console).trained == seen
    del state["trained"]
    assert measured(world, "all", state, console).trained is None


def test_a_division_that_cannot_be_made_again_is_refused(world, console):
    state = state_of(load_pairs(world, console), world)
    for side, change, code in (
        ("val", {"settings": {}}, "RSF-U005"),
        ("test", {}, "RSF-U005"),
        ("val", {"images": {"split": "other"}}, "RSF-D012"),
    ):
        with pytest.raises(RsforgeError) as caught:
            measured(world, side, state | change, console)
        assert caught.value.code == code
    whole = state_of(load_pairs(world, console, val_fraction=0), world, val_fraction=0)
    with pytest.raises(RsforgeError, match="nothing was held out") as caught:
        measured(world, "val", whole, console)
    assert caught.value.code == "RSF-D004"
    save(world / "agri/s1/ROIs1970_fall_s1_0_p0.png", fields(32, 99)[0])
    with pytest.raises(RsforgeError) as caught:
        measured(world, "val", state, console)
    assert caught.value.code == "RSF-D012" and "rsforge data split" in caught.value.fix


@pytest.mark.parametrize("unpaired", [False, True])
def test_sides_of_a_split_are_measured(world, console, unpaired):
    before = state_of(load_pairs(world, console, unpaired=unpaired), world, unpaired=unpaired)
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    state = state_of(load_pairs(world, console, unpaired=unpaired), world, unpaired=unpaired)
    console.warned.clear()
    for side in ("train", "val", "test"):
        assert sample_names(measured(world, side, state, console).samples) == set(split.subsets[side])
    assert not console.warned
    measured(world, "all", state, console)
    assert console.has_line(f"trained on {len(split.subsets['train'])} of these 12")
    console.warned.clear()
    measured(world, "test", before, console)
    assert console.has_line("not trained by this split")
    record = json.loads((world / "split.json").read_text())
    assert record["facts"]["kind"] == "pairs"


@pytest.mark.parametrize("wanted", [{}, {"max_per_terrain": None}])
def test_a_training_on_fewer_pairs_of_the_split_is_known(world, console, wanted):
    """Some of the terrains, or so many pairs of each, are no other split."""
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    fewer = {"max_per_terrain": 2}
    state = state_of(load_pairs(world, console, **fewer), world, **fewer)
    console.warned.clear()
    found = measured(world, "test", state, console, **wanted)
    assert not console.warned and found.own
    assert sample_names(found.samples) == set(load_split(world / "split.json").subsets["test"])


def test_drawn_pairs_are_measured(console, monkeypatch):
    for module in (pair_datasets, pairs_of_checkpoint):
        monkeypatch.setattr(module, "SYNTHETIC_COUNT", 16)
    pairs = load_pairs("synthetic", console, seed=5)
    state = state_of(pairs, "synthetic", seed=5)
    console.meters.clear()
    val = measured("synthetic", "val", state, console)
    assert console.meters == [("synthetic pairs", 16, 16)]
    assert sample_names(val.samples) == sample_names(pairs.held_out) and len(set(val.scenes)) == 1
    assert torch.equal(val.samples[0, 0][0], pairs.held_out[0, 0][0])
    assert len(measured("synthetic", "all", state, console).samples) == 16 and console.has_line(
        "trained on 12 of these 16"
    )
    for side, change in (("test", {}), ("val", {"images": {"split": "other"}})):
        with pytest.raises(RsforgeError) as caught:
            measured("synthetic", side, state | change, console)
        assert caught.value.code == "RSF-U005"
    measured("synthetic", "all", state | {"radiometry": asdict(Radiometry("dn", 0, 4000))}, console)
    assert console.has_line("trained on SAR images in dn")


def choice(root, state, console, **data) -> tuple[str, str]:
    found = measured(root, "auto", state, console, **data)
    assert console.has_line(f"side       {found.subset}: {found.reason}")
    return found.subset, found.reason


def test_unless_told_otherwise_the_test_subset_of_a_split_is_measured(world, console):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    state, split = state_of(load_pairs(world, console), world), load_split(world / "split.json")
    found = measured(world, "auto", state, console)
    assert sample_names(found.samples) == set(split.subsets["test"]) and found.subset == "test" and found.own
    assert found.trained == 0 and choice(world, state, console)[1] == "the split has one"


def test_without_a_test_subset_it_is_what_was_held_out(world, console):
    assert rsforge("data split --data-dir {} --val 0.25 --quiet", world) == 0
    state, split = state_of(load_pairs(world, console), world), load_split(world / "split.json")
    found = measured(world, "auto", state, console)
    assert sample_names(found.samples) == set(split.subsets["val"]) and found.subset == "val" and found.own
    assert "no test subset" in found.reason


@pytest.mark.parametrize("options", [{}, {"unpaired": True}, {"terrains": TERRAINS[:3], "max_per_terrain": 2}])
def test_without_a_split_it_is_what_the_training_held_out(world, console, options):
    pairs = load_pairs(world, console, **options)
    found = measured(world, "auto", state_of(pairs, world, **options), console)
    assert (
        sample_names(found.samples) == sample_names(pairs.held_out)
        and found.subset == "val"
        and found.own
        and found.reason
    )


def test_where_nothing_was_held_out_all_are_measured_and_it_is_said(world, console):
    whole = state_of(load_pairs(world, console, val_fraction=0), world, val_fraction=0)
    found = measured(world, "auto", whole, console)
    assert len(found.samples) == 12 and not found.own and found.trained == 12
    assert choice(world, whole, console) == ("all", "nothing was held out of the training")
    silent = {name: value for name, value in whole.items() if name != "settings"}
    assert choice(world, silent, console) == ("all", "the checkpoint does not say how it was trained")


def test_of_other_pairs_than_those_of_the_training_all_are_measured(world, tmp_path, console):
    state = state_of(load_pairs(world, console, terrains=("agri", "coast")), world, terrains=("agri", "coast"))
    write_pairs(tmp_path / "other", ("desert", "ice"), count=2, size=32)
    found = measured(tmp_path / "other", "auto", state, console)
    assert len(found.samples) == 4 and found.subset == "all" and "not the pairs of the training" in found.reason
    save(world / "agri/s1/ROIs1970_fall_s1_0_p0.png", fields(32, 99)[0])
    assert choice(world, state, console)[0] == "all"


def test_a_split_that_holds_nothing_out_leaves_all(world, console):
    assert rsforge("data split --data-dir {} --val 0 --quiet", world) == 0
    assert choice(world, state_of(load_pairs(world, console), world), console) == ("all", "the split holds nothing out")


def test_drawn_pairs_of_the_training_are_those_held_out_and_others_are_all(console, monkeypatch):
    for module in (pair_datasets, pairs_of_checkpoint):
        monkeypatch.setattr(module, "SYNTHETIC_COUNT", 16)
    pairs = load_pairs("synthetic", console, seed=5)
    state = state_of(pairs, "synthetic", seed=5)
    assert sample_names(measured("synthetic", "auto", state, console).samples) == sample_names(pairs.held_out)
    assert choice("synthetic", state, console)[0] == "val"
    assert choice("synthetic", state | {"images": {}}, console) == (
        "all",
        "the model was not trained on synthetic pairs",
    )


@pytest.mark.parametrize("unpaired", [True, False])
def test_a_division_that_kept_shared_pixels_together_is_made_again(tmp_path, console, unpaired):
    write_overlapping_pairs(tmp_path)
    options = {"val_fraction": 0.5, "allow_leak": True, "allow_gray_optical": True, "unpaired": unpaired}
    for wanted in (True, False):
        pairs = load_pairs(tmp_path, console, overlap_by_content=wanted, **options)
        state = state_of(pairs, tmp_path, overlap_by_content=wanted, **options)
        if not wanted:
            del state["settings"]["data"]["overlap_by_content"]  # as in older checkpoints
        found = measured(tmp_path, "val", state, console)
        assert sample_names(found.samples) == sample_names(pairs.held_out)
