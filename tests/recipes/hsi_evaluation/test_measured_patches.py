"""Which patches an evaluation measures, and what its bootstrap draws."""

from __future__ import annotations

import pytest

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item
from rsforge.errors import RsforgeError
from rsforge.recipes.hsi_evaluation.measured_patches import join_overlapping, name_groups, open_patches
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.spectral_evaluation import draw_flights


@pytest.fixture
def state(spectral):
    return spectral.loaded.state


def choose(root, state, side="auto", split="auto", console=None):
    return open_patches(root, split, side, console or RecordingConsole(), state)


def test_what_the_training_held_out_is_measured(flights, state):
    console = RecordingConsole()
    found = choose(flights, state, console=console)
    assert (found.subset, found.own, len(found.patches)) == ("val", True, 3)
    assert found.count_trained(state) == 0 and console.has_line("held out of the training")


@pytest.mark.parametrize(("side", "count", "trained"), [("train", 6, 6), ("val", 3, 0), ("all", 9, 6)])
def test_patches_that_were_trained_on_are_counted(flights, state, side, count, trained):
    found = choose(flights, state, side)
    assert len(found.patches) == count and found.count_trained(state) == trained
    older = {name: value for name, value in state.items() if name != "trained"}
    assert found.count_trained(older) == (None if side == "all" else trained)


def test_other_patches_are_measured_whole(tmp_path, state):
    found = choose(draw_flights(tmp_path, "wxyz"), state)
    assert (found.subset, len(found.patches)) == ("all", 12) and "not the patches of the training" in found.reason
    assert found.count_trained(state) == 6  # the first scenes are those of the training under other names
    single = choose(draw_flights(tmp_path / "one", "q", 1), state)
    assert single.subset == "all" and len(single.patches) == 1
    with pytest.raises(RsforgeError) as caught:
        choose(tmp_path, state, "val")
    assert caught.value.code == "RSF-D012"


def test_the_test_side_of_a_split_is_measured(tmp_path, state):
    root = draw_flights(tmp_path, "abcd")
    with pytest.raises(RsforgeError) as caught:
        choose(root, state, "test")
    assert caught.value.code == "RSF-U005"
    assert rsforge("data split --data-dir {} --by scene --val 0.25 --test 0.25", root) == 0
    console = RecordingConsole()
    found = choose(root, state, console=console)
    assert (found.subset, found.reason, found.own, len(found.patches)) == ("test", "the split has one", False, 3)
    assert console.has_line("was not trained by this split")


def test_nothing_held_out_is_said(flights, state):
    found = choose(flights, {**state, "images": {"split": "x", "train": 9, "held_out": 0}})
    assert (found.subset, found.reason) == ("all", "nothing was held out of the training")


def list_items(*places):
    return [Item(f"f#{k}", (), scene, window) for k, (scene, window) in enumerate(places)]


def test_five_scenes_are_drawn_whole(flights, state):
    found = name_groups(choose(flights, state), list_items(*((s, Window(0, 0, 9, 9)) for s in "aabcde")))
    assert found.groups == list("aabcde") and found.drawn == "5 scenes" and "only 5 scenes is too narrow" in found.doubt


def test_of_fewer_scenes_patches_are_drawn_that_share_no_pixels(flights, state):
    places = [("a", Window(0, 9 * k, 10, 10)) for k in range(3)] + [("a", Window(50, 9 * k, 9, 9)) for k in range(4)]
    found = name_groups(choose(flights, state), list_items(*places))
    assert len(set(found.groups)) == 5 and len(set(found.groups[:3])) == 1
    assert found.drawn == "5 blocks" and "5 blocks of 1 scene, and too narrow" in found.doubt


def test_of_too_few_groups_no_interval_can_be_had(flights, state):
    found = name_groups(choose(flights, state), list_items(*[("a", None)] * 9, ("b", Window(0, 0, 9, 9))))
    assert found.groups == [] and found.doubt.startswith("no interval can be had: there are 2 scenes and 2 groups")
    unnamed = name_groups(choose(flights, state), [Item("x/f.h5#0", ()), Item("x/f.h5#1", ())])
    assert unnamed.scenes == ["x/f.h5"] * 2


def test_overlaps_join_through_others():
    row = [("a", Window(0, 5 * k, 10, 10)) for k in range(3)]
    assert join_overlapping([row[0], row[2], row[1]]) == [0, 0, 0]
    assert join_overlapping([row[0], row[2]]) == [0, 1] == join_overlapping([("a", None), ("b", None)])
