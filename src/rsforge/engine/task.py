"""What a training task must offer the trainer.

Three rules for ``step``: turns come in the order of ``groups()``; never ``yield`` inside a ``with`` block, since
the engine enters autocast around each turn; code after the last yield runs once per micro-batch, under
``no_grad``, when every optimizer has moved, so it must be idempotent.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from rsforge.engine.accumulator import Accumulator
from rsforge.engine.distributed import SingleProcess


@dataclass(frozen=True, slots=True)
class Turn:
    """One optimizer's turn inside a step: the loss it minimises, and scalars to log.

    ``counted``, a scalar, is the share of its batch, 0 to 1, that loss and scalars are means over; all of it when
    absent. The step then minimises the mean over what counts in the micro-batches of all processes together.
    """

    group: str
    loss: Tensor
    report: Mapping[str, Tensor] = field(default_factory=dict)
    counted: Tensor | None = None


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step may know beside its batch.

    ``slot`` is the micro-batch's in its optimizer step, over all processes: what a task remembers from step to step
    it keeps by slot, since then it does not matter which process takes it. ``step`` and ``epoch`` count from 0.
    ``world.gather`` brings the rows of all processes together; its task needs a loader with ``even`` steps.
    """

    slot: int = 0
    step: int = 0
    epoch: int = 0
    world: SingleProcess = field(default_factory=SingleProcess)


class Task(Protocol):
    """A model, its losses, and the order in which its optimizers move."""

    def modules(self) -> Mapping[str, nn.Module]:
        """What is trained and saved, by name; of an adapter on a frozen base, the adapter alone."""
        ...

    def groups(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """Parameters of each optimizer, in the order of their turns."""
        ...

    def step(self, batch: Any, context: StepContext) -> Generator[Turn]:
        """Yield one ``Turn`` per group; after each yield that group has moved."""
        ...

    def validation(self) -> Accumulator:
        """A new accumulator for the figures of held-out samples."""
        ...


class Stateful(Protocol):
    """Anything that is saved with a run: image pools, scalers, plateau counters.

    Entries of what a task registers that are named by a number belong to that slot of the step, and are kept by the
    process that takes it; all others are the same in every process.
    """

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...
