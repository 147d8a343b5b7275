"""The samplers without a network, a checkpoint or a command line.

Samplers walk on a callable `denoise(x_t, t) -> x_0`. Where the data are Gaussian the best one is known exactly, so
what is still wrong with the samples is the sampler's own doing: too few steps, nothing else. Two seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.timesteps import timesteps

MEAN, STD = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.1])
COUNT = 20_000
TABLE = alphas_cumprod("linear", 1000)  # how much of the signal's power is left at each timestep


def denoise(x_t: Tensor, t: int) -> Tensor:
    """The expected x_0 given x_t, for data that are normal with MEAN and STD: the posterior mean."""
    alpha_bar = float(TABLE[t])
    gain = alpha_bar**0.5 * STD**2 / (alpha_bar * STD**2 + 1 - alpha_bar)
    return MEAN + gain * (x_t - alpha_bar**0.5 * MEAN)


def show(name: str, x_0: Tensor) -> None:
    mean, std = x_0.mean(0).tolist(), x_0.std(0).tolist()
    print(f"{name:24} mean {mean[0]:6.3f} {mean[1]:6.3f}   std {std[0]:.3f} {std[1]:.3f}")


def main() -> None:
    torch.manual_seed(0)
    show("the data", MEAN + STD * torch.randn(COUNT, 2))
    noise = torch.randn(COUNT, 2)
    for count in (5, 20, 100, 1000):
        steps = timesteps(len(TABLE), count)
        show(f"ddim, {count} steps", ddim(denoise, noise, TABLE, steps=steps, draw=torch.randn_like))
    for count in (20, 100, 1000):
        steps = timesteps(len(TABLE), count)
        show(f"ddpm, {count} steps", ddpm(denoise, noise, TABLE, steps=steps, draw=torch.randn_like))
    # Without fresh noise the walk is a map: the same start ends at the same place.
    steps = timesteps(len(TABLE), 20)
    once, again = (ddim(denoise, noise, TABLE, steps=steps, draw=torch.randn_like) for _ in range(2))
    print(f"ddim with eta 0 twice from one noise: the same, {torch.equal(once, again)}")


if __name__ == "__main__":
    main()
