"""Protocols are compared entry by entry, and figures only under equal ones."""

from __future__ import annotations

import json

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.text_evaluation.protocol import Comparison, lie_apart, list_differences, read_earlier

PROTOCOL = {"images": 5, "seed": 3, "fid": {"weights": "abc"}, "clip": None, "crop": "centre"}


def write(path, **changes):
    result = {"protocol": PROTOCOL, "figures": {"model": {"fid": 12.5}}, "checkpoint": "a.pt"} | changes
    path.write_text(json.dumps(result))
    return path


def test_differences_are_named_with_both_values():
    assert list_differences(PROTOCOL, PROTOCOL) == []
    other = PROTOCOL | {"seed": 4, "fid": {"weights": "abe"}, "clip": {"weights": "x"}, "more": 1}
    assert list_differences(PROTOCOL, other) == [
        'clip absent here, {"weights": "x"} there',
        "fid.weights abc here, abe there",
        "more absent here, 1 there",
        "seed 3 here, 4 there",
    ]
    assert list_differences({"seed": 1}, {"seed": True}) and len(list_differences({"a": "x" * 90}, {})[0]) < 80


def test_an_earlier_result_is_read_under_the_same_protocol_alone(tmp_path):
    path = write(tmp_path / "evaluation.json")
    assert read_earlier(path, PROTOCOL)["checkpoint"] == "a.pt"
    with pytest.raises(RsforgeError) as raised:
        read_earlier(path, PROTOCOL | {"seed": 4})
    assert raised.value.code == "RSF-U005" and raised.value.found == "seed 4 here, 3 there"
    for broken in ({"protocol": None}, {"figures": []}, {"figures": {"model": 3}}):
        with pytest.raises(RsforgeError) as raised:
            read_earlier(write(path, **broken), PROTOCOL)
        assert raised.value.code == "RSF-D006"
    path.write_text("{")
    with pytest.raises(RsforgeError, match="no evaluation"):
        read_earlier(path, PROTOCOL)


def test_figures_of_both_stand_side_by_side(tmp_path):
    earlier = {"figures": {"model": {"fid": 10.0, "oa": {"mean": 0.5, "low": 0.4, "high": 0.6}, "kid": None}}}
    own = {"fid": 8.0, "oa": {"mean": 0.8, "low": 0.7, "high": 0.9}, "kid": {"mean": 1.0, "std": 0.1}}
    result = {"figures": {"model": own}, "findings": ["before"]}
    comparison = Comparison(earlier, tmp_path / "e.json")
    comparison.update({}, {})
    assert comparison.add_to(result, {}) == []
    figures = result["compared"]["figures"]
    assert figures["fid"] == {"here": 8.0, "there": 10.0, "difference": -2.0, "apart": None}
    assert figures["oa"]["apart"] is True and "kid" not in figures
    assert result["findings"][0] == "before" and "the intervals lie apart" in result["findings"][2]


def test_validation_losses_are_compared_where_they_are_of_the_same_noise(tmp_path):
    def compare(**plan):
        losses = [{"loss": 0.5, "measured_by": {"seed": 1}}, {"loss": 0.75, "measured_by": {"seed": 1, **plan}}]
        earlier = {"figures": {"model": {}}, "validation_loss": losses[1]}
        result = {"figures": {"model": {}}, "validation_loss": losses[0]}
        Comparison(earlier, tmp_path / "e.json").add_to(result, {})
        return result["compared"]["figures"]

    assert compare()["validation_loss"]["difference"] == -0.25 and compare(seed=2) == {}


def test_intervals_lie_apart_in_either_order():
    low, high, wide = ({"low": a, "high": b} for a, b in ((0, 1), (2, 3), (0.5, 2.5)))
    assert lie_apart(low, high) is lie_apart(high, low) is True and lie_apart(low, wide) is False
    assert lie_apart(low, {"low": None, "high": None}) is None and lie_apart(3.0, low) is None
