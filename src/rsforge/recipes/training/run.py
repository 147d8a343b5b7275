"""What every training recipe does around its own method: device, folder, feeds, rates, trackers, trainer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

from rsforge import durable
from rsforge.engine import devices, distributed, lr_schedules, precision
from rsforge.engine.checkpoint_writer import CheckpointWriter, NoCheckpointWriter
from rsforge.engine.early_stopping import Best, Stopping
from rsforge.engine.ema import Ema, ExponentialMovingAverage, NoEma
from rsforge.engine.journal import Journal, NoJournal
from rsforge.engine.loader import BatchLoader, IndexedDataset
from rsforge.engine.train_step import Update
from rsforge.engine.trainer import Trainer, no_pictures
from rsforge.engine.validation import NoValidation, Validation
from rsforge.recipes.console import Console
from rsforge.recipes.training import launch, output_dir, output_names, trackers
from rsforge.recipes.training.job import Compute, TrainingSpec, TrainSettings
from rsforge.recipes.training.listeners import Display
from rsforge.recipes.training.output_names import OutputLayout
from rsforge.settings.base import OptimSettings, RunSettings

READ_ALONE = 2048  # held-out images that are read sooner than processes start
COPIES_OF_WEIGHTS = 4  # the weights, their gradient, and AdamW's two moments


S = TypeVar("S", bound=TrainSettings)
State = dict[str, Any] | None


@contextlib.contextmanager
def place(run: RunSettings, show: Console) -> Iterator[Compute]:
    """The device and this process's part among others; said in one line."""
    device = distributed.local_device(devices.choose(run.device, deterministic=run.deterministic))
    world = distributed.join(device)
    show.say(f"device     {devices.describe(device)}" + (f", {world.size} processes" if world.size > 1 else ""))
    try:
        yield Compute(device, world)
    finally:
        distributed.leave()


def start(
    settings: S,
    own: OutputLayout,
    kind: str,
    show: Console,
    run_in: Callable[[S, Compute, Console, State], dict[str, Any]],
) -> dict[str, Any]:
    """Call ``run_in`` here with the state to go on from, or start the processes that each will."""
    trackers.check(settings.run)
    if launch.wanted(settings.run):
        return launch.torchrun(settings.run, show)
    with place(settings.run, show) as where:
        return run_in(settings, where, show, output_dir.resumed(settings.run, own, kind=kind, show=show))


@contextlib.contextmanager
def held(run: RunSettings, where: Compute) -> Iterator[None]:
    """The output folder, made and locked by the process that writes."""
    if not where.world.writes:
        where.world.barrier()
        yield
        return
    output_dir.make(run.output_dir)
    with durable.lock_folder(run.output_dir):
        where.world.barrier()
        yield


def schedule(optim: OptimSettings, *, per_epoch: int, epochs: int) -> lr_schedules.Rate:
    """The learning rate that ``--lr-scheduler`` names, in optimizer steps."""
    peak, whole = optim.learning_rate, per_epoch * epochs
    start, floor = round(optim.lr_decay_start * whole), min(optim.lr_min, peak)
    total = whole - start
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
    return lr_schedules.Plateau(rate, floor=floor) if optim.lr_scheduler == "plateau" else lr_schedules.PureRate(rate)


def feed(samples: IndexedDataset, settings: TrainSettings, where: Compute, *, training: bool) -> BatchLoader:
    """Training batches shuffled and accumulated, or held-out ones in order."""
    return BatchLoader(
        samples,
        batch_size=settings.loop.batch_size,
        accumulate=settings.loop.grad_accum if training else 1,
        seed=settings.run.seed,
        workers=settings.run.num_workers if training or len(samples) > READ_ALONE else 0,
        world=where.world,
        shuffle=training,
        pin_memory=settings.run.pin_memory and where.device.type == "cuda",
    )


def update(job: TrainingSpec, settings: TrainSettings, where: Compute, show: Console) -> Update:
    """The optimizer step of the job's task: AdamW, fused."""
    loop, optim, task = settings.loop, settings.optim, job.task
    chosen = precision.choose(loop.mixed_precision, where.device)
    if chosen.note:
        show.say(f"precision  {chosen.note}")
    for module in task.modules().values():
        module.to(where.device)
        if loop.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if loop.compile:
            compiled(module)
    average: Ema = NoEma()
    if settings.average.ema:
        average = ExponentialMovingAverage(task.modules(), decay=settings.average.ema_decay)
    return Update(
        task,
        make_optimizer=partial(
            torch.optim.AdamW,
            lr=optim.learning_rate,
            betas=optim.betas,
            eps=optim.adam_epsilon,
            weight_decay=optim.weight_decay,
            fused=where.device.type != "mps",
        ),
        lr_scale=job.lr_scale,
        average=average,
        device=where.device,
        precision=chosen,
        world=where.world,
        max_norm=loop.max_grad_norm,
        seed=settings.run.seed,
        skip_nonfinite=settings.run.on_nonfinite == "skip",
    )


def compiled(module: nn.Module) -> None:
    """Compile ``module`` and its parts in place: autoencoders are called by their parts."""
    module.compile()
    for child in module.children():
        child.compile()


def assemble(job: TrainingSpec, settings: TrainSettings, where: Compute, show: Console) -> Trainer:
    """The trainer of ``job``, with nothing written yet."""
    run, loop, stop = settings.run, settings.loop, settings.stopping
    batches = feed(job.train, settings, where, training=True)
    held_out = feed(job.held_out, settings, where, training=False) if len(job.held_out) else None
    check = Validation(job.task, held_out, device=where.device, seed=run.seed, world=where.world) if held_out else None
    checkpoint_writer = CheckpointWriter(run.output_dir, job.layout.names, identity=job.identity, every=loop.save_every,
                    keep=loop.keep_checkpoints)  # fmt: skip
    path = run.output_dir / output_names.JOURNAL
    trainer = Trainer(
        update(job, settings, where, show),
        batches,
        epochs=loop.epochs,
        rate=schedule(settings.optim, per_epoch=batches.steps_per_epoch, epochs=loop.epochs),
        validation=check or NoValidation(),
        checkpoint_writer=checkpoint_writer if where.world.writes else NoCheckpointWriter(),
        journal=Journal(path) if where.world.writes else NoJournal(path),
        best=Best(from_epoch=min(job.final_from, loop.epochs - 1)),
        stopping=Stopping(
            patience=stop.early_stopping_patience,
            delta=stop.early_stopping_delta,
            window=stop.oscillation_window,
            threshold=stop.oscillation_threshold,
        ),
        monitor=job.judged_by,
        log_every=run.log_every,
        preview=job.preview if where.world.writes else no_pictures,
        preview_every=loop.sample_every,
        measure=job.measure,
        resume_hint=output_dir.resume_hint(show),
    )
    for name, part in (job.own_parts or {}).items():
        trainer.register(name, part)
    return trainer


def conduct(job: TrainingSpec, settings: TrainSettings, where: Compute, show: Console, state: State) -> dict[str, Any]:
    """Train from ``state``, or from the start, with trackers and display, and say how it ended."""
    output, trainer = settings.run.output_dir, assemble(job, settings, where, show)
    if state is not None:
        trainer.load(state, where=str(output))
    with contextlib.ExitStack() as stack:
        if where.world.writes:
            followers = trackers.following(job, settings, show, step=trainer.progress.step)
            trainer.listeners = stack.enter_context(followers)
            stack.callback(job.plot)
        meter = stack.enter_context(show.progress("step", trainer.goal, trainer.progress.step))
        trainer.listeners += (Display(meter, epochs=settings.loop.epochs, monitor=job.judged_by),)
        progress = trainer.run()
    if progress.finished:
        show.say(f"stopped    after {progress.epoch} epochs: {progress.finished}")
    return {
        "output_dir": str(output),
        "best_model": str(output / job.layout.names.best),
        "epochs": progress.epoch,
        "steps": progress.step,
        "best_epoch": trainer.best.epoch + 1,
        "monitor": job.judged_by.removeprefix("-"),
        "best": -trainer.best.figure if job.judged_by.startswith("-") else trainer.best.figure,
        "stopped": progress.finished or "done",
    }


def plan(job: TrainingSpec, settings: TrainSettings, where: Compute) -> dict[str, Any]:
    """What a run would be: sizes, steps, memory, disk."""
    parameters = [p for m in job.task.modules().values() for p in m.parameters()]
    count = sum(p.numel() for p in parameters)
    batches = feed(job.train, settings, where, training=True)
    copies = COPIES_OF_WEIGHTS + settings.average.ema
    saved = (count * 4 * (copies - 1) + job.remembered * batches.per_step) / 2**20
    periodic = -(-settings.loop.epochs // settings.loop.save_every)
    kept = 2 + min(periodic, settings.loop.keep_checkpoints or periodic)
    weights_only = count * 4 / 2**20 * bool(job.layout.names.weights_only)
    return {
        "output_dir": str(settings.run.output_dir),
        "training_images": len(job.train),
        "held_out_images": len(job.held_out),
        "parameters": count,
        "steps_per_epoch": batches.steps_per_epoch,
        "steps": batches.steps_per_epoch * settings.loop.epochs,
        "weights_and_optimizer_mib": round(count * 4 * copies / 2**20, 1),
        "checkpoint_mib": round(saved, 1),
        "disk_mib": round((saved + weights_only) * kept, 1),
        "device": str(where.device),
    }
