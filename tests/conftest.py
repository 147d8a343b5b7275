"""Two threads, the torchvision guard and a quiet environment for every test."""

from __future__ import annotations

import functools
import gc
import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "2")
# Threads that wait without spinning: beside other work on the same cores they would otherwise starve it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
for name in [n for n in os.environ if n.startswith("RSFORGE_")]:
    del os.environ[name]

if os.access("/dev/shm", os.W_OK):
    # Temporary folders in memory: flushing to a disk is most of what many small checkpoints cost.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As shells leave it to background jobs; the processes that tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import typer.main
from PIL import Image

from rsforge.compat import ensure_torchvision
from rsforge.recipes.tracking import loss_plots
from rsforge.recipes.training import plan

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    TORCHVISION = ensure_torchvision()


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """The entry point sets handlers for the rest of its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def torchvision_state() -> str:
    """What the guard said of torchvision before anything else of this process imported it."""
    return TORCHVISION


@pytest.fixture(scope="session", autouse=True)
def blank_loss_plots() -> Iterator[None]:
    """Blank pictures for loss plots: drawing one takes longer than all the rest of a tiny training."""

    def write_blank(rows: object, curves: object, path: Path, *, marks: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1)).save(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss_plots, "draw", write_blank)
        yield


@pytest.fixture(scope="session", autouse=True)
def commands_of_click_made_once() -> Iterator[None]:
    """A process runs one command line, and this one thousands: it makes the options of each command once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command_from_info", functools.cache(typer.main.get_command_from_info))
        yield


@pytest.fixture
def memory_plan() -> None:
    """For tests of what dry runs say of memory; those of other tests leave it out."""


@pytest.fixture(autouse=True)
def only_wanted_memory_plans(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a step takes longer to find than all else that a dry run says."""
    if "memory_plan" not in request.fixturenames:
        monkeypatch.setattr(plan, "plan_memory", lambda *_: {"step_memory_mib": None, "waiting_batches_mib": None})


def pytest_collection_finish() -> None:
    """Leave what was imported and collected, all of which stays, to no garbage collection: they took a tenth of all."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=12, help="times that tests/engine/test_resume.py kills a training")
    parser.addoption("--all-attacks", action="store_true", help="run every hostile file of tests/attacks")
    parser.addoption("--kill-seed", type=int, default=7, help="seed of the moments at which it does")
