"""Images, captioned images and patches in HDF5 files, one item each."""

from __future__ import annotations

import json

import pytest

from rsforge.data.io.windows import Window
from rsforge.data.splits.contents import find_contents
from rsforge.errors import RsforgeError
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
