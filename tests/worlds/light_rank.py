"""Ranks of a launched run that import no torch: they wait, or fail at once, in place of a training.

Usage, as torchrun starts one: ``python -m tests.worlds.light_rank -m rsforge FOLDER [ERROR-CODE]``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn
from unittest import mock

from rsforge.cli.main import main
from rsforge.errors import RsforgeError, Terminated


def launch_light_ranks(folder: str, *code: str) -> None:
    """Start two of them by the launcher of trainings, in this process; returns or raises as it does."""
    from rsforge.recipes.training import launch
    from rsforge.settings.base import RunSettings

    place = launch._place
    with mock.patch.object(launch, "_place", lambda run: [*place(run), "-m", "tests.worlds.light_rank"]):
        launch.torchrun(RunSettings(processes=2), SimpleNamespace(argv=[folder, *code]))


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # torchrun ends the others by a second one
    raise Terminated


def be_rank(folder: str, code: str = "") -> None:
    """Run a command of rsforge that fails with ``code``, or that writes a file to ``folder`` and waits."""

    def serve(settings: Any, console: Any) -> None:
        if code:
            raise RsforgeError(code, "refused")
        signal.signal(signal.SIGTERM, _terminate)  # as a training heeds it
        Path(folder).mkdir(exist_ok=True)
        Path(folder, f"rank {os.environ['RANK']}").touch()
        while True:
            time.sleep(0.05)

    doctor = ModuleType("rsforge.recipes.tools.doctor")
    doctor.examine = serve
    sys.modules[doctor.__name__] = doctor
    main(["doctor"])


if __name__ == "__main__":
    be_rank(*sys.argv[3:])
