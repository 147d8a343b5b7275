"""The demo trains as long as there is time."""

from __future__ import annotations

import torch
from torch import nn

from rsforge.engine.task import Turn
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.tools import demo_timing
from rsforge.recipes.tools.demo_console import compose_settings
from rsforge.recipes.tools.demo_options import DemoOptions, Plan
from rsforge.settings.tools import DemoSettings
from rsforge.settings.vae import VaeTrainSettings


def test_epochs_fit_the_time(tmp_path):
    plan, console = Plan(scenes=100), SilentConsole()
    options = DemoOptions(DemoSettings(output_dir=tmp_path, device="cpu"), plan)
    trial = compose_settings(VaeTrainSettings, {**options.vae(1), "batch_size": 30})
    assert demo_timing.choose_epochs(plan, 50, 1e9, 1.0, trial, console) == 50
    assert demo_timing.choose_epochs(plan, 50, 10 * 3 * demo_timing.OVERHEAD + 0.1, 1.0, trial, console) == 10
    assert demo_timing.choose_epochs(plan, 50, -5.0, 1.0, trial, console) == 1


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
