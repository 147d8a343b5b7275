"""What every ``evaluate`` gives, and how it ends below a baseline."""

from __future__ import annotations

import pytest

from rsforge.cli.evaluation import give_evaluation
from rsforge.cli.tree import Result
from rsforge.errors import RsforgeError
from tests.worlds.commands import rsforge


def test_an_error_that_carries_a_result_gets_its_table():
    def recipe(settings, console):
        raise RsforgeError("RSF-T005", "worse", result={"side": settings})

    assert give_evaluation(lambda settings, console: {"a": 1}, lambda data: "text", None, None) == Result(
        {"a": 1}, "text"
    )
    with pytest.raises(RsforgeError) as caught:
        give_evaluation(recipe, lambda data: f"side {data['side']}", "val", None)
    assert caught.value.result == Result({"side": "val"}, "side val")


def test_an_unknown_name_of_published_figures_gives_the_list(capsys):
    assert rsforge("cyclegan evaluate --checkpoint a.pt --data-dir b --compare-published qxs") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--compare-published" in said and "qxs-saropt" in said and "latent-diffusion-autoencoders" in said
