"""Who follows a training: the clock, and the trackers that ``--report-to`` names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from rsforge.errors import ExitCode, RsforgeError, Terminated
from rsforge.recipes.console import Console
from rsforge.recipes.training import output_names, wandb_run
from rsforge.recipes.training.listeners import Clock, Forgiving, TensorBoard, Tracker
from rsforge.recipes.training.wandb_artifacts import Versions
from rsforge.settings.base import RunSettings
from rsforge.settings.sections import flatten

if TYPE_CHECKING:
    from rsforge.engine.trainer import Listener
    from rsforge.recipes.training.job import TrainingSpec, TrainSettings


def check(run: RunSettings) -> None:
    """RSF-E006 when a tracker that ``run`` reports to is not installed."""
    if "wandb" in run.report_to:
        wandb_run.check()


@contextlib.contextmanager
def following(
    job: TrainingSpec, settings: TrainSettings, show: Console, *, step: int
) -> Iterator[tuple[Listener, ...]]:
    """Listeners of a training that goes on from ``step``; at its end they learn how it ended."""
    run = settings.run
    with wandb_run.environment(run.output_dir):
        trackers: list[Tracker] = []
        if "tensorboard" in run.report_to:
            trackers.append(Forgiving("TensorBoard", lambda: _tensorboard(job, run, step), show))
        if "wandb" in run.report_to:
            trackers.append(Forgiving("W&B", lambda: _wandb(job, settings, show), show))
        code = int(ExitCode.DONE)
        try:
            yield (Clock(run.output_dir / output_names.TIMING), *trackers)
        except BaseException as error:
            code = _code(error)
            raise
        finally:
            for tracker in trackers:
                tracker.close(code)


def _tensorboard(job: TrainingSpec, run: RunSettings, step: int) -> Tracker:
    folder = run.log_dir or run.output_dir / output_names.TENSORBOARD
    return TensorBoard(folder, step=step, log_every=run.log_every, names=job.tracked)


def _wandb(job: TrainingSpec, settings: TrainSettings, show: Console) -> Tracker:
    run, output = settings.run, settings.run.output_dir
    assert isinstance(settings, BaseModel)
    config = {**flatten(settings, type(settings)), **job.config}
    begun = wandb_run.begin(output, project=run.project, config=config, show=show)
    if begun.disabled:
        return Tracker()
    name = wandb_run.artifact_name(output)
    return wandb_run.WandbRun(
        begun,
        log_every=run.log_every,
        names=job.tracked,
        versions=Versions(begun, output, job.layout.names, every=settings.loop.save_every, name=name),
        plot=output / job.layout.plot,
    )


def _code(error: BaseException) -> int:
    if isinstance(error, RsforgeError):
        return int(error.exit)
    if isinstance(error, KeyboardInterrupt):
        return int(ExitCode.TERMINATED if isinstance(error, Terminated) else ExitCode.INTERRUPTED)
    return int(ExitCode.BUG)
