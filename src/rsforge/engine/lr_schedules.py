"""Learning rates: pure functions of the optimizer step, and plateau, the one that must remember."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol


def constant(step: int, *, peak: float) -> float:
    """``peak`` at every step."""
    return peak


def linear(step: int, *, peak: float, floor: float, total: int) -> float:
    """A straight line from ``peak`` at step 0 to ``floor`` at step ``total``, and ``floor`` after."""
    return peak + (floor - peak) * min(1.0, step / max(1, total))


def cosine(step: int, *, peak: float, floor: float, total: int) -> float:
    """Half a cosine from ``peak`` to ``floor`` over ``total`` steps; Loshchilov & Hutter 2017, Eq. 5."""
    return floor + (peak - floor) * (1 + math.cos(math.pi * min(1.0, step / max(1, total)))) / 2


def warm_restarts(step: int, *, peak: float, floor: float, first: int, growth: int = 2) -> float:
    """Cosines of ``first``, ``first * growth``, ... steps, each starting at ``peak``; SGDR, 2017."""
    length = max(1, first)
    while step >= length:
        step, length = step - length, length * growth
    return cosine(step, peak=peak, floor=floor, total=length)


def warmed_up(step: int, *, rate: Callable[[int], float], warmup: int) -> float:
    """``rate`` multiplied by a line that reaches 1 at the last of ``warmup`` steps."""
    return rate(step) * min(1.0, (step + 1) / max(1, warmup))


def later(step: int, *, rate: Callable[[int], float], start: int) -> float:
    """``rate`` as it begins until step ``start``, and from there on as it goes."""
    return rate(max(0, step - start))


class Rate(Protocol):
    """A learning rate that may look at the monitored figure once an epoch."""

    def at(self, step: int) -> float: ...

    def observe(self, figure: float) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class PureRate:
    """A rate that is a function of the step alone: nothing to remember, nothing to save."""

    def __init__(self, rate: Callable[[int], float]) -> None:
        self.at = rate

    def observe(self, figure: float) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class Plateau:
    """``rate`` times ``factor`` for each ``patience`` epochs without an improvement, never under ``floor``.

    An improvement is relative: below ``best * (1 - threshold)``, as torch's ReduceLROnPlateau counts it.
    """

    def __init__(
        self,
        rate: Callable[[int], float],
        *,
        floor: float,
        factor: float = 0.5,
        patience: int = 10,
        threshold: float = 1e-4,
    ) -> None:
        self.rate, self.floor, self.factor = rate, floor, factor
        self.patience, self.threshold = patience, threshold
        self.scale, self.best, self.waited = 1.0, math.inf, 0

    def at(self, step: int) -> float:
        base = self.rate(step)
        return max(min(base, self.floor), base * self.scale)

    def observe(self, figure: float) -> None:
        if math.isfinite(figure) and figure < self.best * (1 - math.copysign(self.threshold, self.best)):
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.scale, self.waited = self.scale * self.factor, 0

    def state_dict(self) -> dict[str, Any]:
        return {"scale": self.scale, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.scale, self.best, self.waited = state["scale"], state["best"], state["waited"]
