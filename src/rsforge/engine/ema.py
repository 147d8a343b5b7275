"""Exponential moving averages of weights, and the null object that stands for none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Ema(Protocol):
    """Weights to judge and draw with, beside the ones that are trained."""

    def update(self) -> None: ...

    def averaged_weights(self) -> contextlib.AbstractContextManager[None]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class NoEma:
    """An average that is the model itself."""

    def update(self) -> None: ...

    def averaged_weights(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class ExponentialMovingAverage:
    """EMA of the parameters of ``modules`` that are among ``trained``; all else is the live model's.

    The decay is warmed up as ``min(decay, (1 + n) / (10 + n))`` after ``n`` updates, so that a short run's
    average is not its initialisation (the rule of TensorFlow's ExponentialMovingAverage).
    """

    def __init__(
        self, modules: Mapping[str, nn.Module], *, decay: float, trained: Iterable[nn.Parameter] | None = None
    ) -> None:
        self.decay, self.updates = decay, 0
        named = {f"{m}.{n}": p for m, net in modules.items() for n, p in net.named_parameters()}
        kept = {id(p) for p in (named.values() if trained is None else trained)}
        self.live = {name: p for name, p in named.items() if id(p) in kept}
        self.shadow = {name: p.detach().clone() for name, p in self.live.items()}

    def decay_now(self) -> float:
        return min(self.decay, (1 + self.updates) / (10 + self.updates))

    @torch.no_grad()
    def update(self) -> None:
        live = [p.detach() for p in self.live.values()]
        torch._foreach_lerp_(list(self.shadow.values()), live, 1 - self.decay_now())
        self.updates += 1

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The modules carry the averaged weights inside the block."""
        kept = {name: p.detach().clone() for name, p in self.live.items()}
        self._write(self.shadow)
        try:
            yield
        finally:
            self._write(kept)

    @torch.no_grad()
    def _write(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self.live.items():
            parameter.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "shadow": dict(self.shadow)}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.updates = state["updates"]
        for name, value in self.shadow.items():
            value.copy_(state["shadow"][name])


def averaged_weights(state: Mapping[str, Any], module: str) -> dict[str, Tensor]:
    """The averaged parameters of ``module`` in a saved average, by parameter name; empty when it was off."""
    prefix = f"{module}."
    shadow: Mapping[str, Tensor] = state.get("shadow", {})
    return {name.removeprefix(prefix): v for name, v in shadow.items() if name.startswith(prefix)}
