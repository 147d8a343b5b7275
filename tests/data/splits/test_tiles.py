"""Single images divided by their bytes, in groups."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsforge.data.images.tile_dataset import Tile, TileIndex, split_digest
from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item
from rsforge.data.splits.tiles import check_unknown_scenes, join_groups, split_tiles
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.image_folder import count_sides
from rsforge.recipes.datasets.pairs import find_held_out


def tiles(count: int) -> list[Tile]:
    return [Tile(Path(f"{k}.png"), f"{k:03d}.png", f"{k:064x}", 8, 8) for k in range(count)]


def digests(side: list[Tile]) -> set[str]:
    return {tile.digest for tile in side}


@given(st.integers(2, 40), st.floats(0.01, 0.5), st.integers(0, 2**31), st.randoms(use_true_random=False))
def test_split_ignores_order_and_names(n: int, fraction: float, seed: int, shuffler: random.Random) -> None:
    before = tiles(n)
    train, val, test = split_tiles(TileIndex(Path(), before), val_fraction=fraction, seed=seed)
    after = [replace(tile, name=f"renamed_{shuffler.random()}") for tile in before]
    shuffler.shuffle(after)
    train_2, val_2, _ = split_tiles(TileIndex(Path(), after), val_fraction=fraction, seed=seed)
    assert [t.digest for t in train] == [t.digest for t in train_2]
    assert [t.digest for t in val] == [t.digest for t in val_2]
    assert split_digest(train, val) == split_digest(train_2, val_2)
    assert digests(train) | digests(val) == digests(before) and not digests(train) & digests(val)
    assert len(val) == max(1, round(n * fraction)) and train and not test
    assert [tile.digest for tile in train] == sorted(digests(train))


def test_split_depends_on_the_seed() -> None:
    index = TileIndex(Path(), tiles(40))
    one, two = (split_tiles(index, val_fraction=0.5, seed=seed) for seed in (1, 2))
    assert digests(one[1]) != digests(two[1])
    assert split_digest(one.train, one.val) != split_digest(two.train, two.val)
    assert split_digest(one.train, one.val) != split_digest(one.val, one.train)


def test_split_never_leaves_nothing_to_train_on() -> None:
    one = TileIndex(Path(), tiles(1))
    assert split_tiles(one, val_fraction=0.3, seed=0) == (one.tiles, [], [])
    assert split_tiles(TileIndex(Path(), tiles(5)), val_fraction=0.0, seed=0)[1] == []
    for count, fraction in ((5, 0.95), (1, 1.0), (0, 0.1)):
        with pytest.raises(RsforgeError) as caught:
            split_tiles(TileIndex(Path(), tiles(count)), val_fraction=fraction, seed=0)
        assert caught.value.code == "RSF-D004"


def test_groups_stay_together_and_change_nothing_for_others() -> None:
    index = TileIndex(Path(), tiles(40))
    alone = split_tiles(index, val_fraction=0.25, seed=3)
    assert split_tiles(index, val_fraction=0.25, seed=3, together=[["000.png"], ["absent.png"]]) == alone
    groups = [[f"{k:03d}.png", f"{k + 20:03d}.png"] for k in range(20)]
    train, val, _ = split_tiles(index, val_fraction=0.25, seed=3, together=groups)
    held_out = {tile.name for tile in val}
    assert len(val) == 10 and len(train) == 30
    assert all(len(held_out & set(names)) in (0, 2) for names in groups)
    large = [[f"{k:03d}.png" for k in range(39)]]
    assert [tile.name for tile in split_tiles(index, val_fraction=0.25, seed=3, together=large)[1]] == ["039.png"]


def test_one_group_of_all_is_refused() -> None:
    index = TileIndex(Path(), tiles(4))
    names = [[tile.name for tile in index.tiles]]
    with pytest.raises(RsforgeError, match="hang together by shared pixels") as caught:
        split_tiles(index, val_fraction=0.5, seed=0, together=names)
    assert caught.value.code == "RSF-D004" and "--no-overlap-by-content" in caught.value.fix
    assert split_tiles(index, val_fraction=0.0, seed=0, together=names) == (index.tiles, [], [])


def test_a_third_side_is_taken_of_the_training_where_both_have_enough() -> None:
    index = TileIndex(Path(), tiles(200))
    two = split_tiles(index, val_fraction=0.1, seed=3)
    three = split_tiles(index, val_fraction=0.1, test_fraction=None, seed=3)
    assert three.val == two.val and len(three.test) == 20 and digests(three.test) < digests(two.train)
    assert digests(three.train) == digests(two.train) - digests(three.test)
    few = TileIndex(Path(), tiles(194))
    assert not split_tiles(few, val_fraction=0.1, test_fraction=None, seed=3).test
    groups = [[f"{k:03d}.png", f"{k + 100:03d}.png"] for k in range(100)]
    sides = split_tiles(index, val_fraction=0.1, test_fraction=None, seed=3, together=groups)
    assert all(len({t.name for t in side} & set(names)) in (0, 2) for side in sides for names in groups)


@pytest.mark.parametrize("fraction", [0.5, 0.6, 0.9])
def test_no_third_side_is_taken_where_it_would_leave_nothing_to_train_on(fraction: float) -> None:
    sides = split_tiles(TileIndex(Path(), tiles(60)), val_fraction=fraction, test_fraction=None, seed=3)
    assert len(sides.val) == 60 * fraction and not sides.test and sides.train
    assert count_sides(60, fraction, None) == (60 - len(sides.val), len(sides.val), 0)
    assert find_held_out(240, fraction, None) == find_held_out(240, fraction, 0.0)


def test_a_share_to_judge_by_that_is_asked_for_is_taken_of_few_images_too() -> None:
    sides = split_tiles(TileIndex(Path(), tiles(5)), val_fraction=0.2, test_fraction=0.1, seed=0)
    assert [len(side) for side in sides] == [3, 1, 1]
    with pytest.raises(RsforgeError, match=r"test fraction of 0\.8 leaves none") as caught:
        split_tiles(TileIndex(Path(), tiles(5)), val_fraction=0.2, test_fraction=0.8, seed=0)
    assert caught.value.code == "RSF-D004"


def scene_item(name: str, scene: str = "", col: int | None = None) -> Item:
    window = None if col is None else Window(0, col, 8, 8)
    return Item(name, (Path(name),), scene, window)


def test_scenes_and_shared_pixels_join_transitively() -> None:
    items = [scene_item(name, scene) for name, scene in (("a", "s"), ("b", "s"), ("c", "t"), ("d", "t"), ("e", ""))]
    assert join_groups(items, []) == [["a", "b"], ["c", "d"]]
    assert join_groups(items, [["b", "e"]]) == [["a", "b", "e"], ["c", "d"]]
    assert join_groups(items, [["b", "c"]]) == [["a", "b", "c", "d"]]


def test_one_scene_is_divided_only_where_no_window_overlaps() -> None:
    apart = [scene_item(str(k), "s", 8 * k) for k in range(4)]
    assert join_groups(apart, []) == [] and join_groups(apart, [["0", "2"]]) == [["0", "2"]]
    assert join_groups([*apart, scene_item("4", "s", 4)], []) == [["0", "1", "2", "3", "4"]]
    assert join_groups([scene_item("0", "s"), scene_item("1", "s")], []) == []


def test_tiles_of_a_cut_of_unknown_scenes_are_refused() -> None:
    items = [scene_item(f"x/{k}") for k in range(8)]
    names = [item.name for item in items]
    check_unknown_scenes(items, [names[:2], names[2:4], names[4:6]])
    check_unknown_scenes([replace(item, scene="s") for item in items], [names])
    with pytest.raises(RsforgeError, match="8 of 8 images share pixels") as caught:
        check_unknown_scenes(items, [names[:4], names[4:]])
    assert caught.value.code == "RSF-D011" and "SCENE_r00000_c00256" in caught.value.fix
    elsewhere = [*items, *(scene_item(f"y/{k}") for k in range(2))]
    with pytest.raises(RsforgeError) as caught:
        check_unknown_scenes(elsewhere, [names])
    assert "--by region" in caught.value.fix
