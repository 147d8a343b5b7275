"""A shell that runs commands in this process, and a kitchen that only remembers its orders."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from rsforge.cli.app import app, load_all
from rsforge.cli.bridge import command
from rsforge.cli.main import run
from rsforge.cli.tree import COMMANDS
from rsforge.recipes.training import resume
from rsforge.recipes.vae.output_names import VAE as OUTPUTS

load_all()

RECIPES = {
    "data.parquet_to_jsonl": ["extract"],
    "data.captions_to_jsonl": ["convert"],
    "data.prepare_classes": ["prepare"],
    "data.tile": ["cut"],
    "data.stats": ["measure", "table"],
    "data.audit": ["judge"],
    "data.split": ["divide"],
    "data.hsi_patches": ["cut", "describe"],
    "data.synth": ["draw"],
    "vae.train": ["train"],
    "vae.evaluate": ["evaluate", "table"],
    "vae.reconstruct": ["reconstruct"],
    "vae.export": ["export"],
    "diffusion.train": ["train"],
    "cyclegan.train": ["train"],
    "cyclegan.translate": ["translate", "describe"],
    "cyclegan.evaluate": ["evaluate", "table"],
    "cyclegan.export": ["export"],
    "hsi_selftest.selftest": ["run", "describe"],
    "sample.images": ["draw"],
    "tools.demo": ["run"],
    "tools.doctor": ["examine"],
    "tools.info": ["describe"],
    "tools.doctor_weights": ["list_weights"],
    "weights.fetch": ["fetch"],
}


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TERMINAL_WIDTH", "120")
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def kitchen(monkeypatch) -> SimpleNamespace:
    """Replaces every recipe; ``settings``, ``show`` and ``name`` tell the last order, ``serve`` makes the answer."""
    orders = SimpleNamespace(settings=None, console=None, name="", serve=lambda settings, console: {"done": 1})

    def cook(name: str) -> Callable[[Any, Any], Any]:
        def recipe(settings: Any, console: Any) -> Any:
            orders.settings, orders.console, orders.name = settings, console, name
            return orders.serve(settings, console)

        return recipe

    for module_name, functions in RECIPES.items():
        module = ModuleType(f"rsforge.recipes.{module_name}")
        for function in functions:
            setattr(module, function, cook(f"{module_name}.{function}"))
        module.METHOD = SimpleNamespace(outputs=OUTPUTS)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    # The run to resume says nothing of its settings.
    monkeypatch.setattr(
        resume, "stored_settings", lambda method, folder, path: resume.StoredSettings(folder / path, {})
    )
    return orders


@pytest.fixture
def shell(capsys) -> Callable[..., Ran]:
    def call(*argv: str) -> Ran:
        code = run(list(argv))
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture
def toy(monkeypatch) -> Callable[..., SimpleNamespace]:
    """Makes ``rsforge toy`` of a settings model for one test; what it is called with stands in the result."""

    def make(model: type[Any], **more: Any) -> SimpleNamespace:
        monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
        monkeypatch.setitem(COMMANDS, ("toy",), None)
        called = SimpleNamespace(settings=None, console=None)

        @command(app, "toy", model, **more)
        def remember(settings: Any, console: Any) -> dict[str, Any]:
            """Do nothing with many options."""
            called.settings, called.console = settings, console
            return {"done": 1}

        return called

    return make
