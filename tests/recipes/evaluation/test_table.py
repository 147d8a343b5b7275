from __future__ import annotations

from rsforge.recipes.evaluation.table import table

RESULT = {
    "checkpoint": "c.pt",
    "side": "test",
    "side_reason": "the split has one",
    "chosen_on": None,
    "figures": {
        "model": {"l1": {"mean": 0.25, "low": 0.2, "high": 0.3}, "kl": {"mean": 3.0, "low": None, "high": None},
                  "fid": 12.5, "kid": {"mean": 0.1, "std": 0.01}, "lpips": None},
        "zero": {"l1": {"mean": None, "low": None, "high": None}, "fid": 20.0, "kid": None, "lpips": None},
    },
    "gain": {"l1": {"over": "zero", "mean": 0.5, "low": 0.4, "high": 0.6}},
    "directions": {"l1": "lower", "kl": "lower"},
    "baselines": {"zero": "nothing at all"},
    "doubts": ["they are few"],
    "absent": {"lpips": "no weights"},
}  # fmt: skip


def test_figures_stand_in_columns_and_predictors_in_rows():
    lines = table(RESULT).splitlines()
    starts = ("model", "zero  ", "gain", "over")
    model, zero, gain, over = (next(line for line in lines if line.startswith(start)) for start in starts)
    assert "0.25 [0.2, 0.3]  3  " in model and "12.5" in model and "0.1 ± 0.01" in model and model.endswith("-")
    assert zero.split()[1:] == ["-", "-", "20", "-", "-"]
    assert "0.5 [0.4, 0.6]" in gain and over.split() == ["over", "zero", "-", "-", "-", "-"]


def test_what_must_be_known_stands_around_the_figures():
    text = table(RESULT)
    assert "side        test (the split has one)" in text and "chosen_on" not in text
    for line in ("zero is nothing at all.", "Lower is better: l1, kl.", "Mind: they are few.",
                 "Not measured: lpips: no weights."):  # fmt: skip
        assert line in text.splitlines()
    assert "Higher is better" not in text


def test_a_plan_has_no_table():
    assert table({"images": 3}) == ""
