"""Patches that share pixels are found by what they show, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item, SharedPixels
from rsforge.data.splits.shared_pixels import find_shared_pixels, list_groups, read_grey
from tests.worlds.cut_patches import draw_texture, save_patch
from tests.worlds.rasters import write

TEXTURE = draw_texture(128, 128, 0)


def search(root: Path, **options) -> list[SharedPixels]:
    items = [Item(path.name, (path,)) for path in sorted(root.iterdir())]
    return find_shared_pixels(items, {item.name: (item.name,) for item in items}, **options)


@pytest.mark.parametrize(("row", "col"), [(0, 32), (32, 0), (32, 32), (13, 7), (0, 0), (41, 3)])
@pytest.mark.parametrize("change", [{}, {"quality": 60}, {"quality": 85, "gain": 0.7}])
def test_halves_quarters_and_odd_offsets(tmp_path, row, col, change):
    name = "b.jpg" if change else "b.png"
    save_patch(tmp_path / "a.png", TEXTURE, 20, 20)
    save_patch(tmp_path / name, TEXTURE, 20 + row, 20 + col, **change)
    (found,) = search(tmp_path)
    assert found.names == ("a.png", name) and found.offset == (row, col)
    assert found.share == pytest.approx((64 - row) * (64 - col) / 64**2, abs=1e-4) and found.correlation > 0.9


def test_the_offset_says_where_the_second_lies_in_the_first(tmp_path):
    save_patch(tmp_path / "a.png", TEXTURE, 40, 10)
    save_patch(tmp_path / "b.png", TEXTURE, 20, 25)
    (found,) = search(tmp_path)
    assert found.offset == (-20, 15)
    assert found.describe() == "53% of their pixels are the same, -20 rows and 15 columns apart"


def test_a_small_patch_lies_in_a_large_one(tmp_path):
    save_patch(tmp_path / "large.png", TEXTURE, 0, 0, 128)
    save_patch(tmp_path / "small.png", TEXTURE, 30, 50, 48)
    (found,) = search(tmp_path)
    assert found.share == 1 and found.offset == (30, 50)


def test_neighbours_other_places_and_flat_images_share_nothing(tmp_path):
    for k in range(4):
        save_patch(tmp_path / f"neighbour{k}.png", TEXTURE, 64 * (k // 2), 64 * (k % 2))
        save_patch(tmp_path / f"other{k}.jpg", draw_texture(64, 64, 1 + k), 0, 0, quality=70)
        save_patch(tmp_path / f"flat{k}.jpg", np.full((64, 64), 90 + k // 2, np.uint8), 0, 0, quality=70)
        water = np.random.default_rng(k).normal(60, 0.7, (64, 64)).astype(np.uint8)
        save_patch(tmp_path / f"water{k}.png", water, 0, 0)
        slope = np.add.outer(np.arange(64), np.arange(64) * (1 + k / 9)).astype(np.uint8)
        save_patch(tmp_path / f"slope{k}.jpg", slope, 0, 0, quality=70)
    assert search(tmp_path) == []


def test_rows_of_a_field_are_not_the_same_pixels(tmp_path):
    """A periodic pattern agrees with itself at many offsets, but its details differ."""
    stripes = 40 * np.sin(np.add.outer(np.arange(96) * 0.9, np.arange(96) * 0.5))
    for k in range(4):
        grain = np.random.default_rng(k).normal(0, 16, stripes.shape)
        save_patch(tmp_path / f"{k}.png", np.clip(128 + stripes + grain, 0, 255).astype(np.uint8), 7 * k, 5 * k)
    assert search(tmp_path) == []


def test_one_strong_edge_decides_nothing(tmp_path):
    for k in range(3):
        values = draw_texture(64, 64, k) // 4 + 150
        values[np.add.outer(np.arange(64), np.arange(64)) > 80] = 0  # the border of a strip without data
        save_patch(tmp_path / f"{k}.png", values, 0, 0)
    assert search(tmp_path) == []


def test_copies_and_known_windows_are_left_to_others(tmp_path):
    for name, row in (("a.png", 0), ("b.png", 0), ("c.png", 20)):
        save_patch(tmp_path / name, TEXTURE, row, 0)
    windows = (Window(0, 0, 64, 64), None, Window(20, 0, 64, 64))
    items = [
        Item(name, (tmp_path / name,), "scene", window)
        for name, window in zip(("a.png", "b.png", "c.png"), windows, strict=True)
    ]
    digests = {"a.png": ("same",), "b.png": ("same",), "c.png": ("other",)}
    assert [one.names for one in find_shared_pixels(items, digests)] == [("b.png", "c.png")]
    assert find_shared_pixels(items[::-1], digests) == find_shared_pixels(items, digests)


def test_of_pairs_the_optical_image_or_every_file_is_compared(tmp_path):
    for name, row in (("a_sar", 0), ("b_sar", 20), ("c", 40)):
        save_patch(tmp_path / f"{name}.png", TEXTURE, row, 0)
    for k, name in enumerate(("a_optical", "b_optical")):
        save_patch(tmp_path / f"{name}.png", draw_texture(64, 64, 1 + k), 0, 0)
    items = [Item(name, (tmp_path / f"{name}_sar.png", tmp_path / f"{name}_optical.png")) for name in "ab"]
    items.append(Item("c", (tmp_path / "c.png",)))
    digests = {item.name: (item.name,) for item in items}
    counted = []
    assert find_shared_pixels(items, digests, lambda: counted.append(1)) == [] and len(counted) == 3
    found = find_shared_pixels(items, digests, every_file=True)
    assert [one.names for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert list_groups(found) == [["a", "b", "c"]] and list_groups([]) == []


def test_unreadable_images_and_rows_of_cubes_share_nothing(tmp_path):
    save_patch(tmp_path / "a.png", TEXTURE, 0, 0)
    (tmp_path / "b.png").write_bytes(b"not a picture")
    assert search(tmp_path) == []
    rows = [Item(f"a.h5#{k}", (tmp_path / "absent.h5",), row=k) for k in range(2)]
    assert find_shared_pixels(rows, {row.name: () for row in rows}) == []


def test_16_bit_and_floating_point_rasters(tmp_path):
    values = TEXTURE.astype(np.float32)[..., None].repeat(5, axis=2)
    write(tmp_path / "a.tif", (values[:64, :64] * 40).astype(np.uint16))
    write(tmp_path / "b.tif", (values[10:74, 20:84] * 30 + 500).astype(np.uint16))
    write(tmp_path / "c.tif", 10 ** (values[40:104, 50:114] / 100 - 2))  # powers, compared as decibels
    assert [(one.names, one.offset) for one in search(tmp_path)] == [
        (("a.tif", "b.tif"), (10, 20)), (("b.tif", "c.tif"), (30, 30)),
    ]  # fmt: skip
    grey = read_grey(tmp_path / "c.tif")
    assert grey.dtype == np.float32 and np.ptp(np.percentile(grey, (1, 99))) == pytest.approx(255, rel=1e-3)


def test_dim_images_are_stretched_but_not_their_last_bits(tmp_path):
    Image.fromarray(np.array([[0, 16], [16, 32]], np.uint8)).save(tmp_path / "dim.png")
    Image.fromarray(np.array([[100, 101], [101, 102]], np.uint8)).save(tmp_path / "flat.png")
    assert np.ptp(read_grey(tmp_path / "dim.png")) > 250 and np.ptp(read_grey(tmp_path / "flat.png")) < 17
