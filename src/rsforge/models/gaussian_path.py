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
from rsforge.noise.process import Prediction, target
from rsforge.noise.schedules import table_of

MOST_TIMESTEPS = 100_000


class GaussianPath(Denoiser):
    """A ``network``, described by its ``architecture``, plus what :class:`GaussianDenoiser` answers.

    The closed form is fitted and not trained: standardised latents of ``latent_shape``, at timesteps of ``schedule``,
    to ``prediction``. At first it is that of independent standard normal numbers (``take`` replaces it), along up to
    ``directions`` directions, and the last layer of the network is zero. ``ValueError`` for what is no denoiser.
    """

    mean: Tensor
    basis: Tensor
    variances: Tensor
    rest: Tensor
    table: Tensor

    def __init__(
        self,
        *,
        network: Mapping[str, Any],
        prediction: Prediction,
        schedule: Mapping[str, Any],
        latent_shape: Sequence[int],
        directions: int,
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
        self.register_buffer("table", table_of(schedule).float(), persistent=False)

    def take(self, closed_form: GaussianDenoiser) -> None:
        """Become the closed form of a fitted distribution; ``ValueError`` for more directions than there are."""
        found = len(closed_form.variances)
        if found > len(self.variances):
            raise ValueError(f"{found} directions do not fit into {len(self.variances)}")
        self.mean.copy_(closed_form.mean)
        self.basis.zero_()[:, :found].copy_(closed_form.basis)
        # Along what is no direction it does not matter which variance that has.
        self.variances.fill_(1.0)[:found].copy_(closed_form.variances)
        self.rest.fill_(closed_form.rest)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor | int,
        context: Tensor | None = None,
        condition: Tensor | None = None,
        context_mask: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        alpha_bar = self.table[t]
        with torch.autocast(x_t.device.type, enabled=False):
            closed_form = GaussianDenoiser(self.mean, self.basis, self.variances, self.rest)
            answer = target(self.prediction, *closed_form(x_t.float(), alpha_bar), alpha_bar)
        return answer + self.network(x_t, t, context, condition, context_mask, vector)

    def start_at_zero(self) -> None:
        self.network.start_at_zero()
