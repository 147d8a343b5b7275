"""Images, captioned images and patches in HDF5 files, one item each."""

from __future__ import annotations

import json

import pytest

from rsforge.data.io.windows import Window
from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.single_items import image_items, name_scenes
from rsforge.errors import RsforgeError
from tests.worlds import band_files
from tests.worlds.cube_patches import write_patches


def test_photographs_are_scenes_of_their_own(folder):
    found = find_contents(folder)
    assert found.kind == "tiles" and found.modalities == ("image",)
    assert all(i.scene == i.name and i.terrain == i.name.split("/")[0] for i in found.items)


def test_captions_and_images_that_miss_each_other(folder):
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    lines = [json.dumps({"file_name": n, "text": "x"}) for n in [*names[1:], "gone.png", "../out.png"]]
    (folder / "metadata.jsonl").write_text("\n".join([*lines, "{", "[]", ""]))
    found = find_contents(folder)
    assert found.kind == "captions" and len(found.items) == 12
    assert [name for name, _ in found.orphans] == [names[0], "gone.png"]
    count = len(names)
    assert [name for name, _ in found.problems] == [f"metadata.jsonl:{count + k}" for k in (1, 2, 3)]


def test_patches_with_their_scenes_and_windows(tmp_path):
    write_patches(tmp_path / "b.h5")
    write_patches(tmp_path / "a.h5", 2, places=False)
    found = find_contents(tmp_path)
    assert found.kind == "patches"
    assert [i.name for i in found.items] == ["a.h5#0", "a.h5#1", "b.h5#0", "b.h5#1", "b.h5#2", "b.h5#3"]
    assert found.items[0].scene == "" and found.items[0].window is None
    assert found.items[5].scene == "flight 1" and found.items[5].window == Window(0, 24, 8, 8)


def test_a_broken_file_of_patches_is_named(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(RsforgeError, match=r"a\.h5") as caught:
        find_contents(tmp_path)
    assert caught.value.code == "RSF-D008"


def test_sets_of_bands_are_of_the_scene_that_their_names_tell(tmp_path):
    for scene in ("lake", "town"):
        for col in (0, 16):
            band_files.optical(tmp_path, stem=f"{scene}_r00000_c{col:05}")
            band_files.optical(tmp_path / "cut", "{stem}_{band}.tif", stem=f"{scene}_x{col}_y0")
    items, titles = name_scenes(image_items(tmp_path / "cut"))
    assert [item.scene for item in items] == ["lake", "lake", "town", "town"] and titles == ["SCENE_xN_yN"]
    found = {item.scene: item.window for item in image_items(tmp_path) if "cut/" not in item.name}
    assert found.keys() == {"lake", "town"} and found["lake"] == (0, 16, 16, 16)
