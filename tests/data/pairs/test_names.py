"""Which files pair by their names."""

from __future__ import annotations

import pytest

from rsforge.data.pairs.names import match_names, natural_key, strip_token
from tests.worlds.pair_folders import (
    touch,
)


@pytest.mark.parametrize(
    ("stem", "modality", "key"),
    [
        ("ROIs1970_fall_s1_13_p265", 1, "ROIs1970_fall_13_p265"),
        ("s1_a", 1, "a"),
        ("a-S2", 2, "a"),
        ("ROIs1_p1", 1, "ROIs1_p1"),
        ("ROIs10_s10_p1", 1, "ROIs10_s10_p1"),
        ("a_s2_b", 1, "a_s2_b"),
        ("s1_s1_b", 1, "s1_b"),
    ],
)
def test_a_token_stands_between_separators(stem, modality, key):
    assert strip_token(stem, modality) == key


def test_equal_names_pair_even_when_they_hold_a_token(tmp_path):
    """A scene may be called s1."""
    touch(tmp_path, "s1/s1_r00000.png", "s2/s1_r00000.png", "s1/x.png", "s2/x.tif", "s1/x.jpg", "s2/y.png")
    found = match_names(tmp_path, tmp_path / "s1", tmp_path / "s2")
    assert [name for name, _, _ in found.pairs] == ["s1_r00000", "x"]
    assert sorted((path.name, why) for path, why in found.orphans) == [
        ("x.png", "x.jpg has the same name"),
        ("y.png", "s1 has no partner of it"),
    ]


def test_every_pair_holds_the_two_files_of_its_name_in_natural_order(tmp_path):
    """A file too many comes first in one folder, so that files of equal places in the lists do not belong together."""
    sar = ["a_s1_1.png", "a_s1_10.png", "a_s1_2.png", "x.png"]
    optical = ["0.png", "a_s2_1.tif", "a_s2_10.tif", "a_s2_2.tif", "x.png"]
    touch(
        tmp_path, *(f"s1/{name}" for name in sar), *(f"s2/{name}" for name in optical), "s1/notes.txt", "s2/notes.txt"
    )
    found = match_names(tmp_path, tmp_path / "s1", tmp_path / "s2")
    assert [
        (name, one.relative_to(tmp_path).as_posix(), two.relative_to(tmp_path).as_posix())
        for name, one, two in found.pairs
    ] == [
        *((f"a_{k}", f"s1/a_s1_{k}.png", f"s2/a_s2_{k}.tif") for k in (1, 2, 10)),
        ("x", "s1/x.png", "s2/x.png"),
    ]
    assert [path.name for path, _ in found.orphans] == ["0.png"]


def test_names_that_differ_in_the_token_alone_are_not_both_taken(tmp_path):
    touch(tmp_path, "s1/a_s1_b.png", "s1/a_b_s1.png", "s2/a_b_s2.png", "s1/s1_a_b.png")
    found = match_names(tmp_path, tmp_path / "s1", tmp_path / "s2")
    assert len(found.pairs) == 1 and len(found.orphans) == 2
    assert all("but for the token" in why for _, why in found.orphans)


def test_natural_order_is_total():
    given = ["p10", "p2", "p02", "a1b", "a", "1", "ü2"]
    assert sorted(given, key=natural_key) == ["1", "a", "a1b", "p02", "p2", "p10", "ü2"]
