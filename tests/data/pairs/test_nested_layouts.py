"""Layouts as published: seasons and scenes, products, letters, one folder of both, and what is not understood."""

from __future__ import annotations

import pytest

from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.nested_layouts import find_unread_sides
from rsforge.errors import RsforgeError
from tests.worlds.pair_folders import find_refused, pair_names, touch
from tests.worlds.published_layouts import save_pairs, sen12_as_downloaded


def test_seasons_with_folders_of_scenes(tmp_path):
    index = find_pairs(sen12_as_downloaded(tmp_path))
    assert index.layout == "nested" and len(index.pairs) == 6 and not index.orphans + index.problems
    assert {pair.scene for pair in index.pairs} == {"ROIs1970_fall_3", "ROIs1970_fall_12"}
    assert all(pair.season == "fall" and pair.terrain == "" for pair in index.pairs)
    for pair in index.pairs:
        assert pair.optical.name == pair.sar.name.replace("_s1_", "_s2_")


@pytest.mark.parametrize(
    ("sar", "optical", "groups"),
    [
        ("ROIs1_fall_s1/s1_3/a_s1_3.png", "ROIs1_fall_s2/s2_3/a_s2_3.png", ["ROIs1_fall/3"]),
        ("train/sar_images/1.png", "train/rgb_images/1.png", ["train/images"]),
        ("sar/agri/1.png", "opt/agri/1.png", ["agri"]),
        ("SAR/1.png", "deep/OPT/1.png", None),
    ],
)
def test_paths_that_differ_in_words_for_modalities_alone(tmp_path, sar, optical, groups):
    touch(tmp_path, sar, optical)
    if groups is None:
        assert find_refused("RSF-D009", tmp_path)
    else:
        index = find_pairs(tmp_path)
        assert list(index.counts) == groups and len(index.pairs) == 1


def test_letters_are_told_apart_by_colour(tmp_path):
    names = [(f"{side}A/{n}.png", f"{side}B/{n}.png") for side in ("train", "test") for n in range(2)]
    index = find_pairs(save_pairs(tmp_path / "a", *names))
    assert pair_names(index) == ["test/0", "test/1", "train/0", "train/1"] and "A is taken for SAR" in index.notes[1]
    index = find_pairs(save_pairs(tmp_path / "b", *[(f"B/{n}.png", f"A/{n}.png") for n in range(2)]))
    assert index.pairs[0].sar.parent.name == "B"
    touch(tmp_path / "c", "A/1.png", "B/1.png")
    find_refused("RSF-D009", tmp_path / "c")
    assert [name for name, _ in find_unread_sides(tmp_path / "c")] == ["A", "B"]


def test_one_folder_of_both_modalities(tmp_path):
    touch(tmp_path, *(f"{word}{n}.png" for word in ("sar", "opt") for n in range(3)), "sar9.png", "notes.png")
    index = find_pairs(tmp_path)
    assert index.layout == "mixed" and pair_names(index) == ["0", "1", "2"]
    assert sorted(index.orphans) == [
        ("notes.png", "its name says neither SAR nor optical"),
        ("sar9.png", index.orphans[-1][1]),
    ]
    touch(tmp_path / "t", *(f"{side}/a_s{k}_{n}.png" for side in ("train", "val") for k in (1, 2) for n in range(2)))
    assert pair_names(find_pairs(tmp_path / "t")) == ["train/a_0", "train/a_1", "val/a_0", "val/a_1"]


def test_several_sar_folders_of_one_optical_are_not_guessed(tmp_path):
    touch(tmp_path, "x/s1grd/1.png", "x/s1rtc/1.png", "x/s2/1.png", "y/sar/a/1.png", "y/radar/a/1.png", "y/rgb/a/1.png")
    with pytest.raises(RsforgeError, match="several folders hold SAR"):
        find_pairs(tmp_path)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["sar/1.png", "photo/1.png"], [("sar", "says SAR")]),
        (["a_sar.png", "b_sar.png", "c.png"], [(".", "2 of its images")]),
        ([f"{f}/{n}.png" for f in ("x", "y") for n in range(4)], [("x", "are those of y")]),
        ([f"{f}/{n}_{f}_event.png" for f in ("pre", "post") for n in range(4)], [("post", "are those of pre")]),
        ([f"{n}_{end}.png" for end in ("a", "b") for n in range(4)], [(".", "come in twos, ending in a and b")]),
        ([f"s1\\{n}.png" for n in range(2)], [(".", "backslashes")]),
        ([f"{n}.png" for n in range(9)], []),
        ([f"{f}/{n}.png" for f in ("x", "y", "z") for n in range(4)], []),
    ],
)
def test_what_is_seen_and_not_understood_is_named(tmp_path, names, found):
    touch(tmp_path, *names)
    told = find_unread_sides(tmp_path)
    assert [name for name, _ in told] == [name for name, _ in found]
    assert all(part in reason and "plain images" in reason for (_, reason), (_, part) in zip(told, found, strict=True))
