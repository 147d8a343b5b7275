"""What every training does before and after its steps."""

from __future__ import annotations

import pytest

from rsforge.engine import distributed
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.training.run import open_compute
from rsforge.settings.base import RunSettings


@pytest.fixture
def departures(monkeypatch) -> list[str]:
    left: list[str] = []
    monkeypatch.setattr(distributed, "leave", lambda: left.append("left"))
    return left


@pytest.mark.parametrize(("more_follows", "expected"), [(False, ["left"]), (True, [])])
def test_processes_part_where_no_training_of_theirs_follows(departures, more_follows, expected) -> None:
    with open_compute(RunSettings(device="cpu"), SilentConsole(), more_follows=more_follows) as compute:
        assert compute.world.size == 1 and not departures
    assert departures == expected


@pytest.mark.parametrize("more_follows", [False, True])
def test_after_an_error_nothing_follows(departures, more_follows) -> None:
    with (
        pytest.raises(ValueError, match="broken"),
        open_compute(RunSettings(device="cpu"), SilentConsole(), more_follows=more_follows),
    ):
        raise ValueError("broken")
    assert departures == ["left"]
