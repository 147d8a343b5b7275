"""The demo trains as long as there is time."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(("alone", "together", "chosen"), [(1.0, 3.0, 1), (3.0, 1.0, 2)])
def test_a_core_that_other_work_keeps_busy_is_left_to_it(alone, together, chosen):
    durations, console = {1: alone, 2: together}, RecordingConsole()
    with demo_timing.keep_threads():
        torch.set_num_threads(2)
        assert demo_timing.choose_threads(lambda: durations[torch.get_num_threads()], 2, console) == 1.0
        assert torch.get_num_threads() == chosen and len(console.said) == (chosen == 1)


def test_one_thread_is_measured_once_and_the_former_number_comes_back():
    before, measured = torch.get_num_threads(), []
    with demo_timing.keep_threads():
        assert demo_timing.choose_threads(lambda: measured.append(1) or 2.0, 1, RecordingConsole()) == 2.0
        torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before and len(measured) == 1


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
