"""The command lines of the demo are those that a user types."""

from __future__ import annotations

import shlex

import pytest

from rsforge.cli.config_files import Entry
from rsforge.cli.leaves import spellings
from rsforge.cli.resolve import resolve
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.tools.demo_console import command_line, compose_settings, open_stage
from rsforge.recipes.tools.demo_options import DemoOptions, Plan
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.sample import SampleSettings
from rsforge.settings.tools import DemoSettings
from rsforge.settings.vae import VaeTrainSettings


@pytest.mark.parametrize(
    ("model", "name"), [(VaeTrainSettings, "vae"), (DiffusionTrainSettings, "diffusion"), (SampleSettings, "sample")]
)
def test_a_command_line_makes_the_settings_it_tells(tmp_path, model, name):
    demo_options = DemoOptions(DemoSettings(output_dir=tmp_path / "a b", device="cpu", seed=9), Plan())
    make = getattr(demo_options, name)
    options = make() if name == "sample" else make(7)
    words = shlex.split(command_line("x", options))[2:]
    entries, known = [], spellings(model)
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        negative = name.startswith("no_") and name not in known
        flag = negative or known[name].kind is bool
        entries.append(
            Entry((name.removeprefix("no_") if negative else name,), not negative if flag else words.pop(0), "option")
        )
    typed, origins = resolve(model, [entries])
    assert typed == compose_settings(model, options)
    console = open_stage(SilentConsole(), "x", options, typed)
    assert {k for k, v in console.origins.items() if v == "demo"} == {k for k, v in origins.items() if v == "option"}
