"""When something recurring is due: pure functions of the optimizer step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rsforge.wording import count_noun


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run stands, as its files are numbered: after so many whole epochs, or so many optimizer steps."""

    number: int
    unit: Literal["epoch", "step"] = "epoch"

    def __str__(self) -> str:
        return count_noun(self.number, self.unit)


@dataclass(frozen=True, slots=True)
class Cadence:
    """Every ``steps`` optimizer steps or every ``epochs`` epochs; never where both are 0."""

    steps: int = 0
    epochs: int = 0

    def __post_init__(self) -> None:
        if self.steps and self.epochs:
            raise ValueError("a cadence is in steps or in epochs")

    def __bool__(self) -> bool:
        return bool(self.steps or self.epochs)

    def due(self, step: int, steps_per_epoch: int) -> bool:
        """Whether it is due after ``step`` optimizer steps."""
        period = self.steps or self.epochs * steps_per_epoch
        return period > 0 and step > 0 and step % period == 0

    def moment(self, step: int, steps_per_epoch: int) -> Moment:
        """What is written after ``step`` steps is numbered by: epochs only where one has just ended."""
        if self.steps or step % steps_per_epoch:
            return Moment(step, "step")
        return Moment(step // steps_per_epoch)


NEVER = Cadence()


@dataclass(frozen=True, slots=True)
class Cadences:
    """The plan of a run in optimizer steps.

    ``goal`` is the step at which it ends, also inside an epoch. Validation, previews and kept checkpoints also come at
    the goal. A checkpoint is written after at most ``save_seconds`` of training as well (0 is never), under the name
    of the latest alone: where it falls changes nothing of the run. With ``validate_start`` the model that a fresh run
    begins with is validated too, as step 0 of epoch 0: it may be the best.
    """

    goal: int
    validate: Cadence = Cadence(epochs=1)
    preview: Cadence = NEVER
    save: Cadence = NEVER
    save_seconds: float = 0.0
    validate_start: bool = False

    def recurs(self, step: int, steps_per_epoch: int) -> bool:
        """Whether a validation, a preview or a kept checkpoint is due after ``step``."""
        return any(cadence.due(step, steps_per_epoch) for cadence in (self.validate, self.preview, self.save))

    def kept_moment(self, step: int, steps_per_epoch: int, *, last: bool) -> Moment | None:
        """By what the periodic checkpoint after ``step`` is numbered; None where none is due."""
        if self.save.due(step, steps_per_epoch) or (last and bool(self.save)):
            return self.save.moment(step, steps_per_epoch)
        return None
