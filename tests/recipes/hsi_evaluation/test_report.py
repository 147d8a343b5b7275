"""What the head of the report says of a stage; its files and pictures are in the tests of the command."""

from __future__ import annotations

from typing import Any

from rsforge.recipes.hsi_evaluation.report import make_cards


def stage(gain: dict[str, Any]) -> dict[str, Any]:
    figures = {"sam_deg": {"mean": 1.25}, "rmse": {"mean": 50.0}}
    others = {"sam_deg": {"mean": 1.5}, "rmse": {"mean": None}}
    missing = {"mean": None, "low": None, "high": None, "over": None}
    return {
        "title": "Stage 1",
        "figures": {"model": figures, "nearest_endmember": others},
        "gain": {"sam_deg": gain | {"over": "nearest_endmember"}, "rmse": missing},
        "units": {"sam_deg": "°", "rmse": ""},
    }


def test_a_card_holds_the_figure_its_baseline_and_the_gain() -> None:
    (card,) = make_cards(stage({"mean": 0.25, "low": 0.1, "high": 0.4}))
    assert card == ("1.25 °", "Stage 1, sam_deg; nearest endmember 1.5; gain 0.25 [0.1, 0.4]")


def test_a_gain_without_an_interval_has_none_on_its_card() -> None:
    (card,) = make_cards(stage({"mean": 0.25, "low": None, "high": None}))
    assert card[1].endswith("gain 0.25")
