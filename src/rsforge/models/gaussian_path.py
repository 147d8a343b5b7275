"""A denoiser that starts from the closed form of normally distributed latents, and learns what that leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch
from torch import Tensor

from rsforge.models.catalogue import build
from rsforge.models.interfaces import Denoiser, describe
from rsforge.noise.gaussian_denoiser import GaussianDenoiser
from rsforge.noise.process import Prediction, broadcast, target
from rsforge.noise.schedules import table_of

MOST_TIMESTEPS = 100_000
GAINS = 4
"""How many equal parts of the timesteps have a gain of their own."""


class GaussianPath(Denoiser):
    """A ``network``, described by its ``architecture``, plus what :class:`GaussianDenoiser` answers.

    The closed form is fitted and not trained: standardised latents of ``latent_shape``, at timesteps of ``schedule``,
    to ``prediction``. At first it is that of independent standard normal numbers (``take`` replaces it), along up to
    ``directions`` directions and of so many ``scales``, and the last layer of the network is zero. ``gain`` is how much
    of the network's answer counts in each of ``GAINS`` equal parts of the timesteps, outside of training alone. Without
    ``scales`` there is one, and all of the answer counts: so were the checkpoints of earlier versions, which store
    neither. ``ValueError`` for what is no denoiser.
    """

    mean: Tensor
    basis: Tensor
    variances: Tensor
    rest: Tensor
    scales: Tensor
    weights: Tensor
    gain: Tensor
    table: Tensor

    def __init__(
        self,
        *,
        network: Mapping[str, Any],
        prediction: Prediction,
        schedule: Mapping[str, Any],
        latent_shape: Sequence[int],
        directions: int,
        scales: int | None = None,
    ) -> None:
        super().__init__()
        self.architecture = describe("gaussian_path", locals())
        if prediction not in get_args(Prediction) or schedule["timesteps"] > MOST_TIMESTEPS:
            raise ValueError(f"prediction {prediction}, {schedule['timesteps']} timesteps")
        self.prediction: Prediction = prediction
        size = math.prod(latent_shape)
        made = build(network)
        if not isinstance(made, Denoiser):
            raise ValueError(f"{network['name']} is no denoiser")
        made.start_at_zero()
        self.network = made
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(size, directions))
        self.register_buffer("variances", torch.ones(directions))
        self.register_buffer("rest", torch.ones(()))
        count, stored = scales or 1, scales is not None
        self.register_buffer("scales", torch.ones(count), persistent=stored)
        self.register_buffer("weights", torch.full((count,), 1 / count), persistent=stored)
        self.register_buffer("gain", torch.ones(GAINS), persistent=stored)
        self.register_buffer("table", table_of(schedule).float(), persistent=False)

    def take(self, closed_form: GaussianDenoiser) -> None:
        """Become the closed form of a fitted distribution; ``ValueError`` for more directions than there are."""
        found = len(closed_form.variances)
        if found > len(self.variances):
            raise ValueError(f"{found} directions do not fit into {len(self.variances)}")
        self.mean.copy_(closed_form.mean)
        self.basis.zero_()[:, :found].copy_(closed_form.basis)
        # What is no direction has the variance of all others.
        self.variances.fill_(closed_form.rest)[:found].copy_(closed_form.variances)
        self.rest.fill_(closed_form.rest)
        self.scales.copy_(closed_form.scales)
        self.weights.copy_(closed_form.weights)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor | int,
        context: Tensor | None = None,
        condition: Tensor | None = None,
        context_mask: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        answer, remainder = self.split(x_t, t, context, condition, context_mask, vector)
        # All of the remainder is trained; of that, as much is answered as held-out latents bear out.
        if self.training:
            return answer + remainder
        part = torch.as_tensor(t, device=self.gain.device) * GAINS // len(self.table)
        return answer + broadcast(self.gain[part], remainder) * remainder

    def split(self, x_t: Tensor, t: Tensor | int, *inputs: Tensor | None) -> tuple[Tensor, Tensor]:
        """The answer of the closed form, and what the network adds to it, both as ``forward`` takes its inputs."""
        alpha_bar = self.table[t]
        with torch.autocast(x_t.device.type, enabled=False):
            closed_form = GaussianDenoiser(self.mean, self.basis, self.variances, self.rest, self.scales, self.weights)
            answer = target(self.prediction, *closed_form(x_t.float(), alpha_bar), alpha_bar)
        return answer, self.network(x_t, t, *inputs)

    def start_at_zero(self) -> None:
        self.network.start_at_zero()
