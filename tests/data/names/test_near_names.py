"""How the nearest name differs."""

from __future__ import annotations

import pytest

from rsforge.data.names.near_names import MOST_CANDIDATES, describe_nearest


@pytest.mark.parametrize(
    ("stem", "other", "told"),
    [
        ("Field_1", "field_1", "field_1 differs in capital letters alone"),
        ("field_1", "field_001", "field_001 differs in leading zeros alone"),
        ("radar_field_1", "photo_field_1", "the nearest is photo_field_1"),
        ("field_1_before", "field_1_after", "the nearest is field_1_after"),
        ("field_1", "field_1_v2", "the nearest is field_1_v2, with '_v2' more"),
        ("field_2019_1", "field_2020_1", "the nearest is field_2020_1, with '20' where it has '19'"),
    ],
)
def test_the_difference_is_said(stem, other, told):
    assert describe_nearest(stem, ["zzz", other]).startswith(told)


def test_nothing_near_and_too_many_names():
    assert describe_nearest("field", ["quay"]) == describe_nearest("field", []) == ""
    many = [f"other_{k}" for k in range(MOST_CANDIDATES + 1)]
    assert describe_nearest("othex_3", many) == "" and "capital" in describe_nearest("OTHER_3", many)
