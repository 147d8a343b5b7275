"""Folders with images."""

from __future__ import annotations

from rsforge.data.pairs.folders import has_image, list_folders, walk_folders
from tests.worlds.pair_folders import touch


def test_folders_with_images_are_found_to_some_depth(tmp_path):
    touch(tmp_path, "a/b/1.png", "a/1.png", "c/notes.txt", ".hidden/1.png", "1/2/3/4/5/1.png")
    found = [path.relative_to(tmp_path).as_posix() for path in walk_folders(tmp_path)]
    assert found == ["a", "a/b"] and has_image(tmp_path / "a", []) and not has_image(tmp_path / "c", [])


def test_links_that_lead_out_are_named(tmp_path):
    touch(tmp_path, "out/1.png", "set/a/1.png")
    (tmp_path / "set" / "link").symlink_to(tmp_path / "out")
    problems: list[tuple[str, str]] = []
    assert [path.name for path in list_folders(tmp_path / "set", problems)] == ["a"]
    assert problems == [("link", "it is a link that leaves the data folder")]
    assert not has_image(tmp_path / "none", problems) and list_folders(tmp_path / "none", problems) == []
