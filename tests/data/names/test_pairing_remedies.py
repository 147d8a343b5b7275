"""The remedy of the reason that counts most."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.data.names.pairing_remedies import choose_remedy
from tests.worlds.pair_folders import find_refused, touch


@pytest.mark.parametrize(
    ("reasons", "part"),
    [
        (["it is a link that leaves the data folder"] * 2 + ["s2 has no partner of it"], "cp -rL '/a b'"),
        (["s2 has no partner of it: A1 differs in capital letters alone"] * 2 + ["x"], "capital letters"),
        (["s2 has no partner of it: a01 differs in leading zeros alone"], "digits"),
        (["s2 has no partner of it"] * 3 + ["it is a link that leaves the data folder"] * 2, "one name"),
        (["data.csv:3 names it"], "in the table"),
        (["the SAR image is placed by ground control points alone, the optical image by a grid"], "data tile --warp"),
        (["something else"], ""),
    ],
)
def test_the_commonest_reason_decides(reasons, part):
    remedy = choose_remedy(Path("/a b"), [("x", reason) for reason in reasons])
    assert part in remedy and bool(part) == bool(remedy)


def test_errors_say_how_names_differ_and_what_to_do(tmp_path):
    touch(tmp_path, *(f"s1/Field_{n}.png" for n in range(3)), *(f"s2/field_{n}.png" for n in range(3)))
    error = find_refused("RSF-D009", tmp_path)
    assert "field_0 differs in capital letters alone" in error.found and "same capital letters" in error.fix
