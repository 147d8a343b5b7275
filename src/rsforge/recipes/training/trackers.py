"""Who follows a training: the clock, and the trackers that ``--report-to`` names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rsforge.engine.listener import Listener
from rsforge.error_registry import ExitCode
from rsforge.errors import RsforgeError, Terminated
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.tracking import wandb_run
from rsforge.recipes.tracking.listeners import Clock, Forgiving, TensorBoard, Tracker
from rsforge.recipes.tracking.wandb_artifacts import Versions
from rsforge.recipes.training.job import TrainingSpec, TrainSettings, as_model
from rsforge.settings.base import RunSettings
from rsforge.settings.sections import flatten


def check(run: RunSettings) -> None:
    """RSF-E006 when a tracker that ``run`` reports to is not installed."""
    if "wandb" in run.report_to:
        wandb_run.check()


@contextlib.contextmanager
def open_trackers(
    spec: TrainingSpec,
    settings: TrainSettings,
    outputs: OutputLayout,
    console: Console,
    *,
    step: int | None,
    steps_per_epoch: int,
) -> Iterator[tuple[Listener, ...]]:
    """Listeners of a training that goes on from ``step``, None of a fresh one; at its end they learn how it ended."""
    run = settings.run
    with wandb_run.environment(run.output_dir):
        timing = run.output_dir / output_names.TIMING
        trackers: list[Tracker] = [Forgiving(str(timing), lambda: Clock(timing), console)]
        if "tensorboard" in run.report_to:
            folder = run.log_dir or run.output_dir / output_names.TENSORBOARD
            name = f"TensorBoard in {folder}"
            trackers.append(Forgiving(name, lambda: _tensorboard(spec, settings, folder, step), console))
        if "wandb" in run.report_to:
            trackers.append(
                Forgiving("W&B", lambda: _wandb(spec, settings, outputs, steps_per_epoch, console), console)
            )
        code = int(ExitCode.DONE)
        try:
            yield tuple(trackers)
        except BaseException as error:
            code = _code(error)
            raise
        finally:
            for tracker in trackers:
                tracker.close(code)


def _tensorboard(spec: TrainingSpec, settings: TrainSettings, folder: Path, step: int | None) -> Tracker:
    run, model = settings.run, as_model(settings)
    board = TensorBoard(folder, step=step, log_every=run.log_every, names=spec.tracked)
    board.describe_run(flatten(model, type(model)), spec.monitored.removeprefix("-"))
    return board


def _wandb(
    spec: TrainingSpec, settings: TrainSettings, outputs: OutputLayout, steps_per_epoch: int, console: Console
) -> Tracker:
    run, output = settings.run, settings.run.output_dir
    model = as_model(settings)
    config = {**flatten(model, type(model)), **spec.config}
    begun = wandb_run.begin(output, project=run.project, config=config, console=console)
    if begun.disabled:
        return Tracker()
    name = wandb_run.artifact_name(output)
    return wandb_run.WandbRun(
        begun,
        log_every=run.log_every,
        names=spec.tracked,
        versions=Versions(begun, output, outputs.names, steps_per_epoch=steps_per_epoch, name=name),
        plot=output / outputs.plot,
    )


def _code(error: BaseException) -> int:
    if isinstance(error, RsforgeError):
        return int(error.exit)
    if isinstance(error, KeyboardInterrupt):
        return int(ExitCode.TERMINATED if isinstance(error, Terminated) else ExitCode.INTERRUPTED)
    return int(ExitCode.BUG)
