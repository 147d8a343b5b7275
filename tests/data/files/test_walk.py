"""Which files of a folder are images, and which are left behind by others."""

from __future__ import annotations

import os

import pytest

from rsforge.data.files.walk import describe_unread, find_images, find_unread
from rsforge.errors import RsforgeError

LEFT = [
    ".ipynb_checkpoints/a-checkpoint.png", ".git/b.png", "__MACOSX/c.png", "deep/.cache/d.tif", "._e.jpg",
    "@eaDir/f.png", "$RECYCLE.BIN/g.png",
]  # fmt: skip


def fill(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_what_systems_and_programs_leave_behind_is_no_data(tmp_path):
    fill(tmp_path, ["a.png", "deep/b.WEBP", "deep/c.jp2", "d.JFIF", "Thumbs.db", *LEFT])
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.png", "d.JFIF", "deep/b.WEBP", "deep/c.jp2"]


def test_images_that_are_not_read_are_named(tmp_path):
    fill(tmp_path, ["a.png", "b.heic", "deep/c.GIF", ".hidden/d.gif", "notes.txt"])
    assert find_unread(tmp_path) == ["b.heic", "deep/c.GIF"]
    assert describe_unread(find_unread(tmp_path)) == (
        "2 images of kinds that are not read (.gif, .heic): b.heic; deep/c.GIF"
    )
    assert describe_unread([]) == ""


def test_a_folder_of_such_images_alone_says_so(tmp_path):
    fill(tmp_path, ["b.heic", "c.heic"])
    with pytest.raises(RsforgeError, match="that are read") as refused:
        find_images(tmp_path)
    assert refused.value.code == "RSF-D001" and "b.heic" in refused.value.found and "convert" in refused.value.fix


def test_a_folder_that_cannot_be_entered_hides_no_other_finding(tmp_path, monkeypatch):
    fill(tmp_path, ["a.gif", "closed/b.gif"])
    enter = os.scandir

    def refuse(path):
        if path == tmp_path / "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return enter(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_unread(tmp_path) == ["a.gif"]
    with pytest.raises(RsforgeError, match="Permission denied"):
        find_images(tmp_path)
