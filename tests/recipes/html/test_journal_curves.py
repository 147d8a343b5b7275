"""The curves of a training, from its journal."""

from __future__ import annotations

import json

from rsforge.recipes.html.journal_curves import read_curves


def test_curves_of_a_journal(tmp_path):
    rows = [
        {"step": 5, "epoch": 1, "loss": 1.0},
        {"step": 10, "epoch": 1, "loss": 0.9, "val/loss": 0.8, "val/linear": 0.7, "closed": True},
    ]
    (tmp_path / "j").write_text("\n".join(map(json.dumps, rows)) + "\n")
    training, held_out, linear = read_curves(tmp_path / "j", "loss", "val/loss", "val/linear")
    assert training.points == [(5, 1.0)] and held_out.points == [(10, 0.8)] and linear.points == [(10, 0.7)]
    assert linear.style == "baseline"
