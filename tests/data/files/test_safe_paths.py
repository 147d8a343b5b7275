"""A name in a table reaches only what lies in the data folder."""

from __future__ import annotations

import pytest

from rsforge.data.files.safe_paths import LEAVES, find_stray, is_inside, resolve_inside
from rsforge.errors import RsforgeError

OUTSIDE = [
    "../secret.png",
    "a/../../secret.png",
    "..\\secret.png",
    "/etc/passwd",
    "\\\\server\\share\\a.png",
    "C:\\a.png",
    "c:a.png",
    "file:///etc/passwd",
    "http://host/a.png",
    "s3:bucket/a.png",
    "a\0.png",
    "a\ud800.png",
    "",
    "  ",
    "link/a.png",
    "chain/a.png",
]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    (root / "r_000" / "s1_000").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    (root / "chain").symlink_to(root / "link")
    (root / "home").symlink_to(root / "r_000")
    return root


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_leaves_the_folder_is_refused(root, name):
    with pytest.raises(RsforgeError, match="leaves the data folder") as caught:
        resolve_inside(root, name, where="data_r_000.csv, row 2")
    assert (caught.value.code, caught.value.where) == ("RSF-D005", "data_r_000.csv, row 2")


@pytest.mark.parametrize(
    "name", ["r_000\\s1_000/img_p1.png", "r_000/s1_000/img_p1.png", "./r_000/../r_000/x", "home/x", "."]
)
def test_what_stays_is_found(root, name):
    path = resolve_inside(root, name, where="table")
    assert path.resolve().is_relative_to(root.resolve()) and "\\" not in str(path)


def test_a_colon_in_a_later_folder_is_a_name(root):
    assert resolve_inside(root, "r_000/12:30.png", where="table") == root / "r_000" / "12:30.png"


def test_links_of_a_hubs_cache_lead_to_its_own_blobs_alone(tmp_path):
    snapshot = tmp_path / "set" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for place in ("set/blobs/1", "other/blobs/1", "set/blobs/deep/1", "set/else/1"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    link = snapshot / "a.png"
    for place, stray in (
        ("set/blobs/1", ""),
        ("other/blobs/1", LEAVES),
        ("set/blobs/deep/1", LEAVES),
        ("set/else/1", LEAVES),
    ):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / place)
        assert find_stray(snapshot, link) == stray
        assert is_inside(snapshot, link) == (not stray)
    plain = tmp_path / "plain" / "a.png"
    plain.parent.mkdir()
    plain.symlink_to(tmp_path / "set" / "blobs" / "1")
    (tmp_path / "blobs").mkdir()
    assert find_stray(plain.parent, plain) == LEAVES  # no snapshot: the blobs are those of another set


def test_blobs_that_are_a_link_are_not_entered(tmp_path):
    snapshot = tmp_path / "set" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "1").touch()
    (tmp_path / "set" / "blobs").symlink_to(tmp_path / "secret")
    (snapshot / "a.png").symlink_to("../../blobs/1")
    assert find_stray(snapshot, snapshot / "a.png") == LEAVES
