"""Scenes and places in the names of tiles."""

from __future__ import annotations

import pytest

from rsforge.data.io.windows import Window
from rsforge.data.names.scene_names import NamedPlace, find_places, find_window
from tests.worlds.published_layouts import save

GRID = [(row, col) for row in range(0, 129, 64) for col in range(0, 129, 64)]


def names_of(form: str, *, step: int = 1, folder: str = "") -> list[str]:
    return [
        folder + form.format(s=scene, r=row // step, c=col // step, r2=row + 64, c2=col + 64) + ".png"
        for scene in ("north", "south")
        for row, col in GRID
    ]


@pytest.mark.parametrize(
    ("form", "step"),
    [
        ("{s}_r{r:05d}_c{c:05d}", 1), ("{s}__1__{c}___{r}", 1), ("{s}__0.5__{c}___{r}", 1),
        ("{s}_0_{c}_{r}_{c2}_{r2}", 1),
        ("{s}_{c}_{r}_{c2}_{r2}", 1), ("{s}_row{r}_col{c}", 64), ("{s}_r{r}_c{c}", 64), ("{s}_x{c}_y{r}", 1),
        ("{s}-y{r}-x{c}", 1), ("{s}_{r}_{c}", 1), ("{s}_{r}_{c}", 64), ("{s}_{r:02d}_{c:02d}", 64), ("{s}-{r}-{c}", 64),
        ("{s}_{r}_{r2}_{c}_{c2}", 1), ("{s}__{r}__{c}", 64), ("{s}_({c},{r})", 1),
    ],
)  # fmt: skip
def test_the_scenes_of_usual_cutters(form, step):
    names = names_of(form, step=step)
    places, titles = find_places(names)
    assert len(titles) == 1 and {place.scene for place in places.values()} == {"north", "south"}
    in_pixels = step == 1
    assert all((place.row is not None) == in_pixels for place in places.values())
    if in_pixels and all(place.is_ordered for place in places.values()):
        assert [(places[name].row, places[name].col) for name in names[:9]] == GRID


def test_scenes_of_one_name_in_two_folders_differ_and_folders_are_scenes():
    both = names_of("{s}_{r}_{c}", folder="a/") + names_of("{s}_{r}_{c}", folder="b/")
    assert {p.scene for p in find_places(both)[0].values()} == {"a/north", "a/south", "b/north", "b/south"}
    bare = [f"{scene}/{row}_{col}.png" for scene in ("north", "south") for row, col in GRID]
    assert {p.scene for p in find_places(bare)[0].values()} == {"north", "south"}


def test_both_images_of_a_pair_show_one_scene():
    names = [f"s{k}_3/ROIs1158_spring_s{k}_3_p{n}.png" for k in (1, 2) for n in range(3)]
    assert {p.scene for p in find_places(names)[0].values()} == {"ROIs1158_spring_3"}


@pytest.mark.parametrize(
    "names",
    [
        [f"airport_{n}.png" for n in range(20)],
        [f"{c:04}_{n:04}.png" for c in range(3) for n in range(4)],
        [f"class_{c:04}/{c:04}_{n:04}.png" for c in range(1, 4) for n in range(4)],
        [f"class_{c}_{n}.png" for c in range(3) for n in range(4)],
        [f"port_{n}_{n + 1}.png" for n in range(9)],
        [f"port_0_{n}.png" for n in range(9)],
        ["north_0_0.png", "north_0_1.png", "north_1_0.png"],
        [*names_of("{s}_{r}_{c}")[:8], *(f"overview{n}.png" for n in range(4))],
    ],
)
def test_numbers_that_only_count_are_no_places(names):
    assert find_places(names) == ({}, [])


def test_a_stray_name_changes_nothing_and_folders_are_tried_alone():
    names = names_of("{s}_{r}_{c}")
    places, _ = find_places([*names, "overview.png"])
    assert places.keys() == set(names)
    mixed = [*names_of("{s}_x{c}_y{r}", folder="a/"), *(f"b/{n}.png" for n in range(20))]
    assert {place.scene for place in find_places(mixed)[0].values()} == {"a/north", "a/south"}


def test_tiles_of_two_scales_have_no_common_pixels():
    names = [f"north__{scale}__{col}___{row}.png" for scale in ("1", "0.5") for row, col in GRID]
    assert all(place == NamedPlace("north") for place in find_places(names)[0].values())


def test_windows_are_of_the_size_that_name_or_header_says(tmp_path):
    save(tmp_path / "a.png", 1)
    assert find_window(NamedPlace("s", 64, 0, 10, 20), tmp_path / "none.png") == Window(64, 0, 10, 20)
    assert find_window(NamedPlace("s", 64, 0), tmp_path / "a.png") == Window(64, 0, 32, 32)
    assert find_window(NamedPlace("s", 64, 0), tmp_path / "none.png") is None
    assert find_window(NamedPlace("s"), tmp_path / "a.png") is None


@pytest.mark.parametrize("form", ["{s}_patch_{n}", "{s}_tile{n:04d}", "{s}-crop-{n}", "{s}_CHIP_{n}"])
def test_counted_patches_of_several_scenes_tell_these(form):
    names = [form.format(s=scene, n=n) + ".png" for scene in ("north", "2020_south") for n in range(4)]
    places, titles = find_places(names)
    assert titles == ["SCENE_patch_N"] and {place.scene for place in places.values()} == {"north", "2020_south"}
    assert all(place.row is None for place in places.values())


@pytest.mark.parametrize(
    "names",
    [
        [f"dataset_patch_{n}.png" for n in range(8)],  # one word before all numbers
        [f"scene{n}_patch_0.png" for n in range(8)],  # a patch of each
        [f"class_patch_{n}.png" for n in range(4)] + [f"img_patch_{n}.png" for n in range(4)],
    ],
)
def test_counted_patches_that_tell_no_scenes(names):
    assert find_places(names) == ({}, [])
