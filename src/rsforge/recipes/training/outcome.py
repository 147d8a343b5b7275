"""What a training has come to: decided by what was counted and by the files that are there."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rsforge.engine.trainer import Trainer
from rsforge.errors import RsforgeError, from_os_error
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout


def warn_of_damage(journal: Path, lines: int, console: Console) -> None:
    """Say that ``lines`` of a journal to go on with were damaged or missing."""
    if lines:
        console.warn(f"{journal} has {lines} damaged or missing lines; the run goes on, and its curves lack them")


def say_if_finished(trainer: Trainer, console: Console) -> None:
    """Say that a run to go on with has reached its end, and what would make it longer."""
    progress, goal = trainer.progress, trainer.cadences.goal
    if progress.finished:
        console.say(f"finished   already, at step {progress.step}: {progress.finished}")
    elif progress.step >= goal:
        console.say(f"finished   already: step {progress.step} of {goal}; more --epochs or --max-train-steps go on")


@contextlib.contextmanager
def name_what_is_safe(trainer: Trainer, output: Path, outputs: OutputLayout) -> Iterator[None]:
    """Turn a failure of the system during a training into an error that names the newest checkpoint."""
    try:
        yield
    except OSError as error:
        failure = from_os_error(error)
        latest = output / outputs.names.latest
        failure.kept = f"{latest} of step {trainer.committed_step}" if latest.is_file() else "no checkpoint was due yet"
        raise failure from error


def check_outcome(trainer: Trainer, output: Path, outputs: OutputLayout, monitored: str) -> None:
    """RSF-T003 where no step changed the model, or no monitored figure was finite."""
    progress = trainer.progress
    if progress.skipped and progress.skipped >= progress.step:
        what = f"no step of {progress.step} changed the model: no loss was finite"
    elif not trainer.best.exists:
        what = f"{monitored.removeprefix('-')} was finite in no validation: no model is the best"
    else:
        return
    result = describe_outcome(trainer, output, outputs, monitored)
    kept = f"the last state, {output / outputs.names.latest}" if "latest_model" in result else ""
    raise RsforgeError("RSF-T003", what, where=str(output), kept=kept, result=result)


def describe_outcome(trainer: Trainer, output: Path, outputs: OutputLayout, monitored: str) -> dict[str, Any]:
    """The result of a training: how far it came, its best figure where one is finite, and files that are there."""
    progress, best = trainer.progress, trainer.best
    files = {"best_model": output / outputs.names.best}
    if not files["best_model"].is_file():
        files = {"latest_model": output / outputs.names.latest}
    result: dict[str, Any] = {"output_dir": str(output)}
    result |= {name: str(path) for name, path in files.items() if path.is_file()}
    result |= {"epochs": progress.epoch, "steps": progress.step}
    if progress.skipped:
        result["skipped_steps"] = progress.skipped
    if math.isfinite(best.figure):
        sign = -1 if monitored.startswith("-") else 1
        result |= {"best_epoch": best.epoch + 1, "best_step": best.step}
        result |= {"monitor": monitored.removeprefix("-"), "best": sign * best.figure}
    return result | {"stopped": progress.finished or "done"}
