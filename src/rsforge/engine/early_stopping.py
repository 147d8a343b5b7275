"""When a model is the best so far, and when going on is pointless."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import fmean, pstdev
from typing import Any

from rsforge.wording import count_noun


def monitored_value(figures: Mapping[str, float], monitor: str) -> float:
    """The figure that ``monitor`` names, after a ``-`` its negative: low is good.

    Infinite where it is not there, as after an epoch of skipped steps; ``KeyError`` where the held-out figures are
    others, which is a fault of the method.
    """
    sign, name = (-1.0, monitor[1:]) if monitor.startswith("-") else (1.0, monitor)
    held_out = [known for known in figures if known.startswith("val/")]
    if name.startswith("val/") and held_out and name not in held_out:
        raise KeyError(f"the monitor {name} is none of {', '.join(held_out)}")
    return sign * figures.get(name, sign * math.inf)


class Best:
    """The lowest of the figures that can be compared; before the first of them, the newest model is the best.

    ``step`` is the number of optimizer steps after which the best model was found, and ``epoch``, from 0, that of the
    last of them: 0 and -1 are the model that the run began with, where the figure is finite, and else none yet.
    """

    def __init__(self, *, delta: float = 0.0) -> None:
        self.delta = delta
        self.figure, self.epoch, self.step, self.comparable = math.inf, -1, 0, False

    def update_best(self, figure: float, epoch: int, *, step: int = 0, comparable: bool = True) -> bool:
        """Whether ``figure``, after ``step`` steps in the 0-based ``epoch``, is the best so far.

        Figures are not ``comparable`` while the objective has not its final form or the learning rate warms up. One
        that is not finite never is the best.
        """
        if not math.isfinite(figure):
            return False
        if self.comparable and comparable and not figure < self.figure - self.delta:
            return False
        self.figure, self.epoch, self.step, self.comparable = figure, epoch, step, comparable
        return True

    @property
    def exists(self) -> bool:
        """Whether a model is the best; earlier versions kept no figure of one that could not be compared."""
        return self.epoch >= 0 or math.isfinite(self.figure)

    def state_dict(self) -> dict[str, Any]:
        return {"figure": self.figure, "epoch": self.epoch, "step": self.step, "comparable": self.comparable}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take up ``state``; that of earlier versions knows no step, and no figure where none was comparable."""
        self.figure, self.epoch, self.step = state["figure"], state["epoch"], state.get("step", 0)
        self.comparable = state.get("comparable", math.isfinite(self.figure))


def find_best_step(state: Mapping[str, Any]) -> int | None:
    """The step of a saved best, 0 for the model that its run began with; None where earlier versions knew none."""
    step: int = state.get("step", 0)
    return step if step or state["epoch"] < 0 else None


class Stopping:
    """Patience and flatness on the figure of each validation; 0 turns either rule off.

    Flat means: the last ``window`` figures have a standard deviation below ``threshold`` and the newest lies
    within ``threshold`` of their mean. The source document calls this oscillation; it is convergence, and the
    message says so.
    """

    def __init__(self, *, patience: int = 0, delta: float = 0.0, window: int = 1, threshold: float = 0.0) -> None:
        self.patience, self.delta, self.threshold = patience, delta, threshold
        self.rules = [patience, delta, window, threshold]
        self.best, self.waited = math.inf, 0
        self.recent: deque[float] = deque(maxlen=max(1, window))

    def reason(self, figure: float) -> str:
        """Why to stop after a validation that gave ``figure``; empty to go on."""
        self.recent.append(figure)
        if math.isfinite(figure) and figure < self.best - self.delta:
            self.best, self.waited = figure, 0
        else:
            self.waited += 1
        if self.patience and self.waited >= self.patience:
            return (
                f"no improvement by {self.delta:g} for {count_noun(self.patience, 'validation')} (best {self.best:.6g})"
            )
        return self._flat(figure)

    def _flat(self, figure: float) -> str:
        if (
            not self.threshold
            or len(self.recent) < (self.recent.maxlen or 1)
            or not all(map(math.isfinite, self.recent))
        ):
            return ""
        spread, centre = pstdev(self.recent), fmean(self.recent)
        if spread >= self.threshold or abs(figure - centre) >= self.threshold:
            return ""
        return f"flat: the last {len(self.recent)} validations varied by {spread:.2g}, below {self.threshold:g}"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "recent": list(self.recent), "rules": self.rules}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.best, self.waited = state["best"], state["waited"]
        self.recent.clear()
        self.recent.extend(state["recent"])
