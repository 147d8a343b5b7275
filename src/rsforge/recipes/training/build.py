"""From settings to the parts of the engine: loaders, learning rate, optimizer step, cadences, trainer."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from rsforge.engine import lr_schedules, optimizers, precision
from rsforge.engine.cadence import NEVER, Cadence, Cadences
from rsforge.engine.checkpoint_writer import CheckpointWriter, NoCheckpointWriter
from rsforge.engine.early_stopping import Best, Stopping
from rsforge.engine.ema import Ema, ExponentialMovingAverage, NoEma
from rsforge.engine.journal import Journal, NoJournal
from rsforge.engine.listener import no_pictures
from rsforge.engine.loader import BatchLoader, IndexedDataset
from rsforge.engine.optimizers import OptimizerOptions
from rsforge.engine.train_step import TrainStep
from rsforge.engine.trainer import Trainer
from rsforge.engine.validation import NoValidation, Validation
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.training import output_dir
from rsforge.recipes.training.job import Compute, TrainingSpec, TrainSettings
from rsforge.settings.base import LoopSettings, OptimSettings, StoppingSettings

READ_ALONE = 2048  # held-out images that are read sooner than processes start


def build_cadences(loop: LoopSettings, steps_per_epoch: int) -> Cadences:
    """When a run validates, shows pictures, writes checkpoints and ends."""
    return Cadences(
        goal=loop.max_train_steps or loop.epochs * steps_per_epoch,
        validate=_cadence(loop.validate_every_steps, loop.validate_every),
        preview=_cadence(loop.sample_every_steps, loop.sample_every),
        save=_cadence(loop.save_every_steps, loop.save_every),
        save_seconds=60 * loop.save_every_minutes,
    )


def _cadence(steps: int | None, epochs: int) -> Cadence:
    if steps is not None:
        return Cadence(steps=steps)
    return Cadence(epochs=epochs) if epochs else NEVER


def build_rate(optim: OptimSettings, *, per_epoch: int, goal: int) -> lr_schedules.Rate:
    """The learning rate that ``--lr-scheduler`` names, in optimizer steps."""
    peak, start, floor = optim.learning_rate, round(optim.lr_decay_start * goal), min(optim.lr_min, optim.learning_rate)
    total = goal - start
    curves: dict[str, Callable[[int], float]] = {
        "cosine": partial(lr_schedules.cosine, peak=peak, floor=floor, total=total),
        "cosine_warm_restarts": partial(lr_schedules.warm_restarts, peak=peak, floor=floor, first=50 * per_epoch),
        "linear": partial(lr_schedules.linear, peak=peak, floor=floor, total=total),
    }
    rate = curves.get(optim.lr_scheduler, partial(lr_schedules.constant, peak=peak))
    if start and optim.lr_scheduler in ("linear", "cosine"):
        rate = partial(lr_schedules.later, rate=rate, start=start)
    if optim.lr_warmup_steps:
        rate = partial(lr_schedules.warmed_up, rate=rate, warmup=optim.lr_warmup_steps)
    if optim.lr_scheduler == "plateau":
        return lr_schedules.Plateau(rate, floor=floor)
    return lr_schedules.PureRate(rate)


def build_loader(
    samples: IndexedDataset, settings: TrainSettings, compute: Compute, *, training: bool, even: bool = False
) -> BatchLoader:
    """Training batches shuffled and accumulated, or held-out ones in order."""
    workers = min(settings.run.num_workers, len(os.sched_getaffinity(0)))
    return BatchLoader(
        samples,
        batch_size=settings.loop.batch_size,
        accumulate=settings.loop.grad_accum if training else 1,
        seed=settings.run.seed,
        workers=workers if training or len(samples) > READ_ALONE else 0,
        world=compute.world,
        shuffle=training,
        even=even,
        pin_memory=settings.run.pin_memory and compute.device.type == "cuda",
    )


def build_step(spec: TrainingSpec, settings: TrainSettings, compute: Compute, console: Console) -> TrainStep:
    """The optimizer step of the task, on its device."""
    loop, task = settings.loop, spec.task
    chosen = precision.choose(loop.mixed_precision, compute.device)
    if chosen.note:
        console.say(f"precision  {chosen.note}")
    for module in task.modules().values():
        module.to(compute.device)
        if loop.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if loop.compile:
            compile_parts(module)
    return make_step(spec, settings, compute, chosen)


def make_step(spec: TrainingSpec, settings: TrainSettings, compute: Compute, chosen: precision.Precision) -> TrainStep:
    """The optimizer step of the task, whose modules are where they are."""
    return TrainStep(
        spec.task,
        make_optimizer=partial(optimizers.build, _optimizer_options(settings.optim, compute)),
        lr_scale=spec.lr_scale,
        lr_factors=spec.lr_factors,
        average=_build_ema(spec, settings),
        device=compute.device,
        precision=chosen,
        world=compute.world,
        max_norm=settings.loop.max_grad_norm,
        seed=settings.run.seed,
        skip_nonfinite=settings.run.on_nonfinite == "skip",
    )


def _build_ema(spec: TrainingSpec, settings: TrainSettings) -> Ema:
    if not settings.average.ema:
        return NoEma()
    trained = [p for parameters in spec.task.groups().values() for p in parameters]
    return ExponentialMovingAverage(spec.task.modules(), decay=settings.average.ema_decay, trained=trained)


def _optimizer_options(optim: OptimSettings, compute: Compute) -> OptimizerOptions:
    return OptimizerOptions(
        name=optim.optimizer,
        learning_rate=optim.learning_rate,
        betas=optim.betas,
        eps=optim.adam_epsilon,
        weight_decay=optim.weight_decay,
        decay_all=optim.decay_norms,
        fused=compute.device.type != "mps",
    )


def compile_parts(module: nn.Module) -> None:
    """Compile ``module`` and its parts in place: autoencoders are called by their parts."""
    module.compile()
    for child in module.children():
        child.compile()


def build_stopping(stop: StoppingSettings) -> Stopping:
    """The rules of early stopping."""
    return Stopping(
        patience=stop.early_stopping_patience,
        delta=stop.early_stopping_delta,
        window=stop.oscillation_window,
        threshold=stop.oscillation_threshold,
    )


def comparable_after(
    spec: TrainingSpec, optim: OptimSettings, steps_per_epoch: int, goal: int, console: Console
) -> int:
    """The steps after which figures can be compared: those of the objective's warm-up and of the learning rate's.

    They do not depend on the length of the run, which may grow later; a warm-up that is longer than it is said.
    """
    warmups = {
        "the warm-up of the objective": spec.objective_warmup * steps_per_epoch,
        "--lr-warmup-steps": optim.lr_warmup_steps,
    }
    for name, steps in warmups.items():
        if steps >= goal:
            console.warn(f"{name} takes {steps} steps, the whole run {goal}: the best model is the last one")
    return max(warmups.values())


def build_trainer(
    spec: TrainingSpec,
    settings: TrainSettings,
    outputs: OutputLayout,
    identity: dict[str, Any],
    compute: Compute,
    console: Console,
) -> Trainer:
    """The trainer of ``spec``, with nothing written yet; its checkpoints say ``identity``."""
    run, loop, writes = settings.run, settings.loop, compute.world.writes
    loader = build_loader(spec.train, settings, compute, training=True, even=spec.even)
    cadences = build_cadences(loop, loader.steps_per_epoch)
    cadences = replace(cadences, validate_start=spec.fitted_start and len(spec.held_out) > 0)
    writer = CheckpointWriter(
        run.output_dir, outputs.names, identity=identity, keep=loop.keep_checkpoints, accompany=spec.accompany
    )
    journal = run.output_dir / output_names.JOURNAL
    trainer = Trainer(
        build_step(spec, settings, compute, console),
        loader,
        cadences=cadences,
        rate=build_rate(settings.optim, per_epoch=loader.steps_per_epoch, goal=cadences.goal),
        validation=_build_validation(spec, settings, compute),
        checkpoint_writer=writer if writes else NoCheckpointWriter(),
        journal=Journal(journal) if writes else NoJournal(journal),
        best=Best(),
        stopping=build_stopping(settings.stopping),
        monitor=spec.monitored,
        comparable_after=comparable_after(spec, settings.optim, loader.steps_per_epoch, cadences.goal, console),
        log_every=run.log_every,
        preview=spec.preview if writes else no_pictures,
        measure=spec.measure,
        resume_hint=output_dir.resume_hint(console),
    )
    for name, part in spec.parts.items():
        trainer.register(name, part)
    return trainer


def _build_validation(spec: TrainingSpec, settings: TrainSettings, compute: Compute) -> Validation:
    if not len(spec.held_out):
        return NoValidation()
    loader = build_loader(spec.held_out, settings, compute, training=False)
    return Validation(spec.task, loader, device=compute.device, seed=settings.run.seed, world=compute.world)
