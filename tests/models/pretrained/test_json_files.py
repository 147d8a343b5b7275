"""JSON files of models and their keys."""

from __future__ import annotations

import os

import pytest

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.json_files import ANY, check_keys, read_object

NEUTRAL = {"anything": ANY, "flag": (False, None), "number": (1, 1.0)}


@pytest.mark.parametrize(
    "config", [{}, {"taken": 3}, {"_note": 1}, {"anything": [1]}, {"flag": None}, {"flag": False}, {"number": 1}]
)
def test_keys_that_change_nothing_pass(config):
    check_keys(config, ["taken"], NEUTRAL, where="here")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [({"flag": True}, "flag true"), ({"other": "x"}, 'other "x"'), ({"number": 2}, "number 2"), ({"flag": 0}, "flag 0"),
     ({"number": True}, "number true")],
)  # fmt: skip
def test_other_keys_are_refused_by_name_and_value(config, sentence):
    with pytest.raises(RsforgeError, match=f"{sentence} is not supported") as caught:
        check_keys(config, ["taken"], NEUTRAL, where="here")
    assert (caught.value.code, caught.value.where) == ("RSF-C004", "here")


def test_files_that_are_no_object_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "bytes.json").write_bytes(b"\xff\x00")
    for name in ("pipe", "list", "deep", "bytes"):
        with pytest.raises(RsforgeError) as caught:
            read_object(tmp_path / f"{name}.json")
        assert caught.value.code == "RSF-C003"
    with pytest.raises(RsforgeError, match=r"unet/config.json not found") as caught:
        read_object(tmp_path / "unet" / "config.json")
    assert caught.value.code == "RSF-C001"
