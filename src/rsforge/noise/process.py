"""The forward process and its three parametrisations, converted here and nowhere else.

``alpha_bar`` is one number (0-d), one per sample ``(B,)``, or anything that broadcasts over ``x_0``. Its
roots are taken in its own precision (float64 from the tables) and only then cast.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Prediction = Literal["eps", "v", "x_0"]


def broadcast(alpha_bar: Tensor, like: Tensor) -> Tensor:
    """View ``(B,)`` as ``(B, 1, …, 1)`` with as many axes as ``like``; other shapes pass unchanged."""
    return alpha_bar.view(-1, *[1] * (like.ndim - 1)) if alpha_bar.ndim == 1 else alpha_bar


def q_sample(x_0: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """Diffuse ``x_0`` to ``x_t`` by the noise ``eps``. Ho et al. 2020, Eq. 4."""
    signal, noise = _amplitudes(alpha_bar, x_0)
    return signal * x_0 + noise * eps


def target(prediction: Prediction, x_0: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """What a network of this kind should answer. v: Salimans & Ho 2022, Sec. 4."""
    match prediction:
        case "eps":
            return eps
        case "x_0":
            return x_0
        case "v":
            signal, noise = _amplitudes(alpha_bar, x_0)
            return signal * eps - noise * x_0
    raise _unknown(prediction)


def to_x_0(prediction: Prediction, output: Tensor, x_t: Tensor, alpha_bar: Tensor) -> Tensor:
    """The clean image that ``output`` implies; not finite for ``eps`` where ``alpha_bar`` is 0."""
    signal, noise = _amplitudes(alpha_bar, x_t)
    match prediction:
        case "eps":
            return (x_t - noise * output) / signal
        case "x_0":
            return output
        case "v":
            return signal * x_t - noise * output
    raise _unknown(prediction)


def to_eps(prediction: Prediction, output: Tensor, x_t: Tensor, alpha_bar: Tensor) -> Tensor:
    """The noise that ``output`` implies; not finite for ``x_0`` where ``alpha_bar`` is 1."""
    signal, noise = _amplitudes(alpha_bar, x_t)
    match prediction:
        case "eps":
            return output
        case "x_0":
            return (x_t - signal * output) / noise
        case "v":
            return noise * x_t + signal * output
    raise _unknown(prediction)


def _amplitudes(alpha_bar: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    wide = broadcast(alpha_bar, like)
    signal, noise = wide.sqrt(), (1 - wide).sqrt()
    # A 0-d tensor acts as a number: it changes no dtype and, left on the host, costs no transfer.
    return (signal, noise) if wide.ndim == 0 else (signal.to(like), noise.to(like))


def _unknown(prediction: str) -> ValueError:
    return ValueError(f"unknown prediction {prediction!r}; known are eps, v, x_0")
