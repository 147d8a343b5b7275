"""``rsforge demo``, ``doctor``, ``info`` and ``explain``."""

from __future__ import annotations

from typing import Any

import typer

from rsforge.cli.bridge import command
from rsforge.cli.leaves import nearest
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.error_registry import REGISTRY
from rsforge.errors import RsforgeError
from rsforge.settings.tools import DemoSettings, DoctorSettings, ExplainSettings, InfoSettings


def demo(settings: DemoSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train, sample and evaluate on synthetic scenes in a few minutes, on any machine."""
    from rsforge.recipes.tools.demo import run as recipe

    return recipe(settings, console)


def doctor(settings: DoctorSettings, console: TerminalConsole) -> dict[str, Any]:
    """Show versions, devices and what is missing."""
    from rsforge.recipes.tools.doctor import examine as recipe

    return recipe(settings, console)


def info(settings: InfoSettings, console: TerminalConsole) -> dict[str, Any]:
    """Describe a checkpoint: what it is, how it was made, what it needs."""
    from rsforge.recipes.tools.info import describe as recipe

    return recipe(settings, console)


def explain(settings: ExplainSettings, console: TerminalConsole) -> Result:
    """Explain the code of an error, or list all codes."""
    if settings.code is None:
        data = {code: fault.title for code, fault in REGISTRY.items()}
        return Result(data, "\n".join(f"{code}  {title}" for code, title in data.items()))
    code = settings.code.upper()
    if code not in REGISTRY:
        near = nearest(code, list(REGISTRY))
        hint = f"; did you mean {near}?" if near else ""
        raise RsforgeError(
            "RSF-U007", f"there is no error code {settings.code}{hint}", fix="rsforge explain lists all codes"
        )
    fault = REGISTRY[code]
    entry = {"code": code, "exit": int(fault.exit), "title": fault.title, "advice": fault.advice}
    return Result(entry, f"{code} (exit {int(fault.exit)}): {fault.title}\n{fault.advice}")


def register(app: typer.Typer) -> None:
    """Put the four commands beside the groups."""
    command(app, "demo", DemoSettings, writes=True, epilog="Example: rsforge demo --minutes 1")(demo)
    command(app, "doctor", DoctorSettings, tunable=False, epilog="Example: rsforge doctor --json")(doctor)
    command(app, "info", InfoSettings, tunable=False, epilog="Example: rsforge info vae_models/best_model.pt")(info)
    command(app, "explain", ExplainSettings, tunable=False, epilog="Example: rsforge explain RSF-D001")(explain)
