"""The demo trains as long as there is time."""

from __future__ import annotations

import torch
from torch import nn

from rsforge.engine.task import Turn
from rsforge.recipes.tools import demo_timing
from tests.worlds.consoles import RecordingConsole


def test_steps_fit_the_time():
    """Down to one step, so that a machine on which an epoch takes minutes keeps the limit too."""
    console = RecordingConsole()
    assert demo_timing.choose_steps(50, 1e9, 1.0, console) == 50
    assert demo_timing.choose_steps(50, 10 * demo_timing.OVERHEAD + 0.1, 1.0, console) == 10
    assert demo_timing.choose_steps(50, -5.0, 1.0, console) == 1
    assert [" instead of 50" in line for line in console.said] == [False, True, True]


def test_a_slow_machine_gets_fewer_scenes():
    console = RecordingConsole()
    assert demo_timing.choose_scenes(1024, 180.0, 0.05, console) == 1024 and console.said == []
    assert 64 <= demo_timing.choose_scenes(1024, 180.0, 0.4, console) < 128
    assert demo_timing.choose_scenes(1024, 180.0, 10.0, console) == 64 and "instead of 1024" in console.said[-1]
    assert demo_timing.choose_scenes(20, 180.0, 10.0, console) == 20


def test_the_duration_is_that_of_a_step():
    class Slow:
        def __init__(self):
            self.network, self.calls = nn.Linear(1, 1), 0

        def step(self, batch, place):
            self.calls += 1
            yield Turn("g", self.network(batch).sum(), {})

    task = Slow()
    assert 0 < demo_timing.measure_step_seconds(task, torch.ones(1, 1)) < 1
    assert task.calls == 1 + demo_timing.TIMED_STEPS
