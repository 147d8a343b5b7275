"""The forward process and its four parametrisations, converted here and nowhere else.

``alpha_bar`` is one number (0-d), one per sample ``(B,)``, or anything that broadcasts over ``x_0``. Its
roots are taken in its own precision (float64 from the tables) and only then cast.

There is one process, ``x_t = a x_0 + b eps`` with ``a = sqrt(alpha_bar)`` and ``b = sqrt(1 - alpha_bar)``, also for
rectified flow (Liu et al. 2023, arXiv 2209.03003; Esser et al. 2024, arXiv 2403.03206). Its straight path
``z_s = (1 - s) x_0 + s eps`` is the same state on another scale: ``x_t = (a + b) z_s`` at ``s = b / (a + b)``. So
networks see unit variance at every timestep, and ``flow`` is one more thing to predict, the path's velocity
``dz/ds = eps - x_0``. Divided by ``a' + b'``, a step of DDIM with eta 0,

    x' = a' x_0 + b' eps,   reads   z' = (1 - s') x_0 + s' eps = z + (s' - s) (eps - x_0):

Euler's step on the straight path. The two walks are one, for every table and every prediction.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Prediction = Literal["eps", "v", "x_0", "flow"]


def broadcast(alpha_bar: Tensor, like: Tensor) -> Tensor:
    """View ``(B,)`` as ``(B, 1, …, 1)`` with as many axes as ``like``; other shapes pass unchanged."""
    return alpha_bar.view(-1, *[1] * (like.ndim - 1)) if alpha_bar.ndim == 1 else alpha_bar


def q_sample(x_0: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """Diffuse ``x_0`` to ``x_t`` by the noise ``eps``. Ho et al. 2020, Eq. 4."""
    signal, noise = _amplitudes(alpha_bar, x_0)
    return signal * x_0 + noise * eps


def target(prediction: Prediction, x_0: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """What a network of this kind should answer. v: Salimans & Ho 2022, Sec. 4; flow: Liu et al. 2023, Eq. 1."""
    match prediction:
        case "eps":
            return eps
        case "x_0":
            return x_0
        case "v":
            signal, noise = _amplitudes(alpha_bar, x_0)
            return signal * eps - noise * x_0
        case "flow":
            return eps - x_0
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
        case "flow":
            return (x_t - noise * output) / (signal + noise)
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
        case "flow":
            return (x_t + signal * output) / (signal + noise)
    raise _unknown(prediction)


def path_time(alpha_bar: Tensor) -> Tensor:
    """The time ``s`` on the straight path of this much signal, 0 at the data and 1 at the noise."""
    signal, noise = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return noise / (signal + noise)


def _amplitudes(alpha_bar: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    wide = broadcast(alpha_bar, like)
    signal, noise = wide.sqrt(), (1 - wide).sqrt()
    # A 0-d tensor acts as a number: it changes no dtype and, left on the host, costs no transfer.
    return (signal, noise) if wide.ndim == 0 else (signal.to(like), noise.to(like))


def _unknown(prediction: str) -> ValueError:
    return ValueError(f"unknown prediction {prediction!r}; known are eps, v, x_0, flow")
