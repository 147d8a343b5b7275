"""What walks are tried on: noise, a network that answers anything, records of every step, and broken images."""

from __future__ import annotations

import math
import warnings

import torch

from rsforge.noise.schedules import alphas_cumprod, trained_alphas_cumprod
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.samplers.predict_x0 import x0_denoiser

SHAPE = (2, 3, 2, 2)
THEIR_NAME = {"eps": "epsilon", "v": "v_prediction", "x_0": "sample"}
MEAN, DEVIATION = 0.7, 0.4


def break_images(monkeypatch, value):
    """From here on decoded images hold ``value`` everywhere."""
    decode = LatentPipeline.decode
    monkeypatch.setattr(LatentPipeline, "decode", lambda self, x_0: torch.full_like(decode(self, x_0), value))


def noise(seed=0):
    g = torch.Generator().manual_seed(seed)
    return lambda like: torch.randn(like.shape, generator=g, dtype=like.dtype)


def refuse(like):
    raise AssertionError("no noise is needed here")


def network(x_t, t):
    """Any smooth function of both arguments will do."""
    return torch.tanh(x_t) + 0.3 * torch.cos(t / 100).view(-1, *[1] * (x_t.ndim - 1))


def noise_table(schedule, *, zero=False):
    """A table by its name; ``trained_betas`` rise and fall as no schedule here does."""
    if schedule == "trained_betas":
        wave = torch.linspace(0, 9, 1000, dtype=torch.float64).sin()
        return trained_alphas_cumprod((0.006 + 0.004 * wave).tolist())
    return alphas_cumprod(schedule, zero_terminal=zero)


def walked(sampler, table, prediction, steps, seed=1, **options):
    """Every state of a walk, from x_T to x_0, and what the network said at each."""
    states, outputs = [], []

    def listening(x_t, t):
        states.append(x_t)
        outputs.append(network(x_t, t))
        return outputs[-1]

    x_T = noise()(torch.empty(SHAPE, dtype=torch.float64))  # noqa: N806
    denoise = x0_denoiser(listening, table, prediction)
    end = sampler(denoise, x_T, table, steps=steps, draw=noise(seed), **options)
    return [*states, end], outputs


def reference(name, table, prediction, **options):
    """A scheduler of diffusers on our table; it would keep its own in float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers

        scheduler = getattr(diffusers, name)(prediction_type=THEIR_NAME[prediction], **options)
    scheduler.alphas_cumprod = table
    if not options.get("set_alpha_to_one", True):
        scheduler.final_alpha_cumprod = table[0]
    return scheduler


def optimal(table):
    """E[x_0 | x_t] where the data are N(MEAN, DEVIATION^2)."""

    def denoise(x_t, t):
        signal, variance = math.sqrt(table[t]), DEVIATION**2
        gain = variance * signal / (variance * float(table[t]) + 1 - float(table[t]))
        return MEAN + gain * (x_t - signal * MEAN)

    return denoise
