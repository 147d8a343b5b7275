"""The one way in which every method is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from rsforge import durable
from rsforge.engine import devices, distributed, optimizers
from rsforge.engine.distributed import PlannedProcesses
from rsforge.engine.early_stopping import Best
from rsforge.engine.trainer import Trainer
from rsforge.errors import RsforgeError, Terminated
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.tracking.listeners import Display
from rsforge.recipes.tracking.loss_plots import LossPlot
from rsforge.recipes.tracking.previews import Preview
from rsforge.recipes.training import changes, decisions, launch, output_dir, partners, trackers
from rsforge.recipes.training.build import build_trainer
from rsforge.recipes.training.job import Compute, TrainingSpec, TrainSettings, as_model
from rsforge.recipes.training.method import HasIdentity, Method
from rsforge.recipes.training.outcome import (
    check_outcome,
    describe_outcome,
    name_what_is_safe,
    say_if_finished,
    warn_of_damage,
)
from rsforge.recipes.training.plan import Undrawn, plan
from rsforge.recipes.training.resume import ResumePoint, set_newer_aside
from rsforge.seeds import derive
from rsforge.settings.base import RunSettings
from rsforge.settings.sections import DEFAULT

S = TypeVar("S", bound=TrainSettings)
D = TypeVar("D", bound=HasIdentity)
N = TypeVar("N")
State = dict[str, Any] | None
VERDICT = "verdict"
"""What a result ends with: whether the model is better than its baselines."""
START_IS_BEST = "The best model is the start: no later validation was better."


def fit(method: Method[S, D, N], settings: S, console: Console, *, more_follows: bool = False) -> dict[str, Any]:
    """Train ``method`` from the start or from where it stopped, here or in the processes that are asked for.

    The processes stay together where another training of theirs follows: who met anew could meet the former group.
    """
    trackers.check(settings.run)
    several = launch.should_launch(settings.run)
    if several and not console.dry_run:
        return launch.torchrun(settings.run, console)
    with open_compute(settings.run, console, more_follows=more_follows) as compute:
        if several:
            compute = replace(compute, world=PlannedProcesses(launch.all_processes(settings.run)))
        point = output_dir.find_state(settings.run, method.outputs, kind=method.kind, console=console)
        return _fit_here(method, settings, compute, console, point)


@contextlib.contextmanager
def open_compute(run: RunSettings, console: Console, *, more_follows: bool = False) -> Iterator[Compute]:
    """The device and this process's part among others; said in one line."""
    device = distributed.local_device(devices.choose(run.device, deterministic=run.deterministic))
    world = distributed.join(device)
    processes = f", {world.size} processes" if world.size > 1 else ""
    console.say(f"device     {devices.describe(device)}{processes}")
    stays = False
    try:
        yield Compute(device, world)
        stays = more_follows  # but not after an error: nothing follows then
    finally:
        if not stays:
            distributed.leave()


def _fit_here(
    method: Method[S, D, N], settings: S, compute: Compute, console: Console, point: ResumePoint | None
) -> dict[str, Any]:
    state = None if point is None else point.state
    stored = {} if state is None else changes.stored_values(state["settings"], type(as_model(settings)))
    decided = method.decide(settings, stored, compute, console)
    settings = decisions.apply_decisions(settings, decided, console)
    run = settings.run
    output_dir.check_apart(run, method.outputs, settings.data.data_dir)
    optimizers.check_available(settings.optim.optimizer)
    method.check(settings, console)
    with changes.name_source(settings.data.data_dir, console):
        datasets = method.read(settings, state, compute, console)
    torch.manual_seed(derive(run.seed, "weights"))
    with Undrawn() if console.dry_run else contextlib.nullcontext():
        networks = method.networks(settings, datasets, compute)
    spec = method.spec(settings, datasets, networks, compute, console)
    method.check_spec(spec)
    if state is not None:
        changes.check_same(state, settings, datasets.identity, console)
        partners.check_same(state, spec.partners)
    if console.dry_run:
        left_open = decisions.describe_decisions(decided, state)
        planned = plan(spec, settings, method.outputs, compute, console)
        planned |= {"test_images": datasets.identity["test"]} if datasets.identity.get("test") else {}
        return planned | ({decisions.KEY: left_open} if left_open else {})
    with locked_output_dir(run, compute):
        if compute.world.writes:
            output_dir.prepare(run, method.outputs, as_model(settings), console, fresh=state is None)
            (run.output_dir / output_names.JUDGED).unlink(missing_ok=True)  # another model may be the best soon
        prepared = method.prepare(settings, datasets, compute, console)
        if prepared is not datasets:
            spec = method.spec(settings, prepared, networks, compute, console)
        identity = _identity(method, settings, spec, datasets, compute, console, state)
        identity[decisions.KEY] = decisions.describe_decisions(decided, state)
        result = _train(method, settings, spec, identity, compute, console, point)
        usable = _usable(result, run.output_dir, method.outputs)
        made = method.finish(settings, prepared, usable, console) if compute.world.writes else {}
        told = _judge(method, settings, prepared, spec, usable, compute, console)
        told = _keep_judged(told, settings.run, console, start_is_best=result.get("best_epoch") == 0)
        made |= method.publish(settings, prepared, usable, told, console) if compute.world.writes else {}
        verdict = {name: told.pop(name) for name in (VERDICT,) if name in told}
        return result | made | told | {"next": method.next_command(settings, usable)} | verdict


def _judge(
    method: Method[S, D, N],
    settings: S,
    datasets: D,
    spec: TrainingSpec,
    usable: Path,
    compute: Compute,
    console: Console,
) -> dict[str, Any]:
    """What the method says of its trained model on what chose nothing.

    A run that is ended here has its model: where it goes on it has nothing to do but this. One whose memory is too
    small for it ends well, and is not judged.
    """
    if not compute.world.writes or not usable.is_file():
        return {}
    try:
        return method.judge(settings, datasets, spec, usable, compute, console)
    except KeyboardInterrupt as error:
        code = "RSF-I143" if isinstance(error, Terminated) else "RSF-I130"
        hint = output_dir.resume_hint(console)
        raise RsforgeError(code, "stopped while the best model was judged", kept=str(usable), fix=hint) from error
    except (MemoryError, torch.cuda.OutOfMemoryError):
        console.warn("the best model is not judged: out of memory beside what it was trained with; evaluate it alone")
        return {}


def _keep_judged(told: dict[str, Any], run: RunSettings, console: Console, *, start_is_best: bool) -> dict[str, Any]:
    """Write what is ``told`` of the best model into a file of its own, and say the verdict."""
    if not told:
        return {}
    told |= {VERDICT: f"{told[VERDICT]} {START_IS_BEST}"} if start_is_best else {}
    durable.write_json(run.output_dir / output_names.JUDGED, told)
    console.say(f"judged     {told[VERDICT]}")
    return told


def _usable(result: dict[str, Any], output: Path, outputs: OutputLayout) -> Path:
    """The checkpoint to go on with: the best, else the latest."""
    return Path(result.get("best_model", result.get("latest_model", output / outputs.names.latest)))


@contextlib.contextmanager
def locked_output_dir(run: RunSettings, compute: Compute) -> Iterator[None]:
    """The output folder, made and locked by the process that writes."""
    if not compute.world.writes:
        compute.world.barrier()
        yield
        return
    output_dir.make(run.output_dir)
    with durable.lock_folder(run.output_dir), output_dir.record_ending(run.output_dir):
        compute.world.barrier()
        yield


def _identity(
    method: Method[S, D, N],
    settings: S,
    spec: TrainingSpec,
    datasets: D,
    compute: Compute,
    console: Console,
    state: State,
) -> dict[str, Any]:
    """What every checkpoint of the run says beside its state."""
    chosen = {name for name, origin in console.origins.items() if not origin.startswith(DEFAULT)}
    given = sorted(chosen.difference(output_dir.HOW_IT_WAS_CALLED))
    identity: dict[str, Any] = {
        "kind": method.kind,
        **spec.identity,
        "settings": output_dir.plain(as_model(settings)),
        "given": given if state is None else state.get("given", []),
        "images": dict(datasets.identity),
        "partners": partners.describe(spec.partners),
    }
    if spec.nonfinite:
        identity["nonfinite"] = spec.nonfinite
    if compute.world.writes:
        fitted = state.get("baselines") if state is not None else None
        identity["baselines"] = fitted or spec.baselines()
    return identity


def _train(
    method: Method[S, D, N],
    settings: S,
    spec: TrainingSpec,
    identity: dict[str, Any],
    compute: Compute,
    console: Console,
    point: ResumePoint | None,
) -> dict[str, Any]:
    output, outputs = settings.run.output_dir, method.outputs
    journal = output / output_names.JOURNAL
    plot = LossPlot(journal, method.curves, output / outputs.plot, marks=spec.marks, console=console)
    shown = replace(spec, preview=Preview(spec.preview, plot, console))
    trainer = build_trainer(shown, settings, outputs, identity, compute, console)
    if point is not None:
        warn_of_damage(journal, _go_on(trainer, point, outputs, compute, console), console)
        say_if_finished(trainer, console)
    with contextlib.ExitStack() as stack:
        if compute.world.writes:
            if settings.run.copy_partners:
                partners.copy(spec.partners, output)
            step = None if point is None else trainer.progress.step
            per_epoch = trainer.loader.steps_per_epoch
            followers = trackers.open_trackers(spec, settings, outputs, console, step=step, steps_per_epoch=per_epoch)
            trainer.listeners = stack.enter_context(followers)
            stack.callback(plot)
        meter = stack.enter_context(console.progress("step", trainer.cadences.goal, trainer.progress.step))
        trainer.listeners += (
            Display(meter, epochs=-(-trainer.cadences.goal // trainer.loader.steps_per_epoch), monitor=spec.monitored),
        )
        with name_what_is_safe(trainer, output, outputs):
            trainer.run()
        if trainer.progress.finished:
            console.say(f"stopped    after {trainer.progress.epoch} epochs: {trainer.progress.finished}")
        check_outcome(trainer, output, outputs, spec.monitored)
    return describe_outcome(trainer, output, outputs, spec.monitored)


def _go_on(trainer: Trainer, point: ResumePoint, outputs: OutputLayout, compute: Compute, console: Console) -> int:
    """Load the state, and leave in its folder no checkpoint of later steps and none of its own that was not named.

    Returns how many lines of the journal were damaged or missing.
    """
    folder = outputs.names.run_folder(point.path)
    damaged = trainer.load(point.state, where=str(folder))
    progress, per_epoch = trainer.progress, trainer.loader.steps_per_epoch
    if compute.world.writes:
        set_newer_aside(point, console)
    if progress.closed == progress.step and point.path.name != outputs.names.latest:
        last = bool(progress.finished) or progress.step >= trainer.cadences.goal
        trainer.checkpoint_writer.complete(
            point.path, trainer.cadences.kept_moment(progress.step, per_epoch, last=last)
        )
    trainer.checkpoint_writer.retain()  # which a kill behind the last commit may have left undone
    if compute.world.writes:
        trainer.checkpoint_writer.accompany()
    compute.world.barrier()
    if trainer.best.exists and not (folder / outputs.names.best).exists():
        console.warn(f"{outputs.names.best} is not there: the best model is looked for anew from here on")
        trainer.best.load_state_dict(Best().state_dict())
    return damaged
