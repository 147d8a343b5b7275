"""What a run would be, for ``--dry-run``: sizes, steps, memory, disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from rsforge.engine import precision
from rsforge.engine.cadence import Cadence
from rsforge.engine.loader import BatchLoader, MicroBatch, collate_named
from rsforge.engine.step_memory import estimate_step, without_values
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.training.build import build_cadences, build_loader, make_step
from rsforge.recipes.training.job import Compute, TrainingSpec, TrainSettings

COPIES_OF_WEIGHTS = 4  # the weights, their gradient, and AdamW's two moments
BYTES = 4
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of each parameter
ENTRY_BYTES = 300  # that a tensor takes in a checkpoint beside its numbers
MICROS = 4  # micro-batches whose memory is found step by step


class Undrawn(TorchFunctionMode):
    """Makes networks without drawing their weights, which for large ones takes seconds; a plan only counts them."""

    # On the meta device they would have no memory either, but its first use imports much of torch.
    DRAWS = ("normal_", "uniform_")

    def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        named = named or {}
        if function.__name__.endswith(self.DRAWS):
            return given[0] if given else named["tensor"]
        return function(*given, **named)


def plan(
    spec: TrainingSpec, settings: TrainSettings, outputs: OutputLayout, compute: Compute, console: Console
) -> dict[str, Any]:
    """Sizes, steps, memory and disk of a run; what is trained and what is frozen counted apart."""
    trained = {id(p): p for parameters in spec.task.groups().values() for p in parameters}
    count = sum(p.numel() for p in trained.values())
    loader = build_loader(spec.train, settings, compute, training=True, even=spec.even)
    cadences = build_cadences(settings.loop, loader.steps_per_epoch)
    copies = COPIES_OF_WEIGHTS + settings.average.ema
    tensors = sum(len(module.state_dict()) for module in spec.task.modules().values())
    tensors += len(trained) * (len(MOMENTS) + settings.average.ema)
    kept_bytes = count * BYTES * (copies - 1) + tensors * ENTRY_BYTES
    saved = (kept_bytes + spec.remembered * loader.per_step + spec.fitted_bytes) / 2**20
    periodic = _times(cadences.save, cadences.goal, loader.steps_per_epoch)
    kept = 2 + min(periodic, settings.loop.keep_checkpoints or periodic)
    weights_only = count * BYTES / 2**20 if outputs.names.weights_only else 0.0
    return {
        "output_dir": str(settings.run.output_dir),
        "training_images": len(spec.train),
        "held_out_images": len(spec.held_out),
        "parameters": count,
        "frozen_parameters": count_frozen(spec.frozen.values(), trained.keys()),
        "steps_per_epoch": loader.steps_per_epoch,
        "steps": cadences.goal,
        "weights_and_optimizer_mib": round(count * BYTES * copies / 2**20, 1),
        "checkpoint_mib": round(saved, 1),
        "disk_mib": round((saved + weights_only) * kept, 1),
        **plan_memory(spec, settings, compute, loader, console),
        "device": str(compute.device),
    }


def plan_memory(
    spec: TrainingSpec, settings: TrainSettings, compute: Compute, loader: BatchLoader, console: Console
) -> dict[str, float | None]:
    """MiB that each process needs for a step, beside the program itself, and for the batches that wait for it.

    The step is that of the engine, with all its micro-batches; those that wait are read ahead by workers. None, with a
    warning, for a step that does something that cannot be planned.
    """
    sample = collate_named([spec.train[0, 0]])
    given = without_values(sample, loader.largest)
    micros = [MicroBatch(given, 1.0, slot, ()) for slot, _ in loader.slots(0) if compute.world.takes(slot)]
    make = partial(make_step, spec, settings, compute, precision.choose(settings.loop.mixed_precision, compute.device))
    modules = [*spec.task.modules().values(), *spec.frozen.values()]
    step = None
    try:
        step = round(_estimate(partial(estimate_step, make, modules, device=compute.device), micros) / 2**20, 1)
    except Exception as error:  # torch has no common type for what it cannot plan
        reason = next(iter(str(error).splitlines()), "")
        console.warn(f"the memory of a step cannot be estimated: {type(error).__name__}: {reason[:160]}")
    batch = sum(t.nbytes for t in tree_leaves(given) if isinstance(t, Tensor))
    return {"step_memory_mib": step, "waiting_batches_mib": round(loader.read_ahead * batch / 2**20, 1)}


def _estimate(estimate: Callable[[Sequence[MicroBatch]], int], micros: Sequence[MicroBatch]) -> int:
    """The bytes of a step; from the third micro-batch on each takes as much more as the one before."""
    if len(micros) <= MICROS:
        return estimate(micros)
    two, three = estimate(micros[:2]), estimate(micros[:3])
    return three + (len(micros) - 3) * (three - two)


def count_frozen(modules: Iterable[nn.Module], trained: Iterable[int]) -> int:
    """Parameters of ``modules`` that are not among the ``trained``, by their ids."""
    known = set(trained)
    return sum(p.numel() for module in modules for p in module.parameters() if id(p) not in known)


def _times(cadence: Cadence, goal: int, steps_per_epoch: int) -> int:
    """How often something is due in a run, its end included."""
    period = cadence.steps or cadence.epochs * steps_per_epoch
    return -(-goal // period) if period else 0
