"""Weights of the denoising loss over timesteps."""

from __future__ import annotations

from torch import Tensor

from rsforge.noise.process import Prediction, path_time


def snr(alpha_bar: Tensor) -> Tensor:
    """Signal-to-noise ratio in power, 0 for pure noise and infinite where ``alpha_bar`` is 1."""
    return alpha_bar / (1 - alpha_bar)


def min_snr_weight(prediction: Prediction, alpha_bar: Tensor, gamma: float = 5.0) -> Tensor:
    """Weight of each sample's squared error, of the shape of ``alpha_bar``, finite for all of [0, 1].

    It is ``min(snr, gamma)`` in units of x_0, carried over to what the network predicts.
    Hang et al. 2023 (arXiv 2303.09556). Raises ``ValueError`` for an unknown ``prediction``.
    """
    ratio = snr(alpha_bar)
    match prediction:
        case "eps":
            return (gamma / ratio).clamp(max=1)  # min(snr, gamma) / snr, with its limit 1 at snr 0
        case "v":
            return ratio.clamp(max=gamma) / (ratio + 1)
        case "x_0":
            return ratio.clamp(max=gamma)
        case "flow":
            # An error of the velocity is path_time times as large in x_0.
            return ratio.clamp(max=gamma) * path_time(alpha_bar).square()
    raise ValueError(f"unknown prediction {prediction!r}; known are eps, v, x_0, flow")
