"""What a denoiser learns: the noise, a velocity or the clean latent behind a noisy one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rsforge.engine.accumulator import COUNTED
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.denoising import variance_of_mean, weighted_mse
from rsforge.losses.elbo import sample_latent
from rsforge.losses.gaps import NoGaps, find_latent_gaps
from rsforge.models.conditioning import UNCONDITIONAL, Conditioning
from rsforge.models.interfaces import Denoiser
from rsforge.noise.gaussian_denoiser import ClosedForm, denoise_standard
from rsforge.noise.noise_offset import add_offset
from rsforge.noise.process import Prediction, q_sample, target
from rsforge.noise.timestep_sampling import TimestepSampling, sample_timesteps, timesteps_of_stratum
from rsforge.noise.weighting import min_snr_weight
from rsforge.tasks.denoising_figures import QUARTERS, DenoisingFigures

Batch = Mapping[str, Any]
DrawTimesteps = Callable[[int], Tensor]
ASKED_AT_ONCE = 1 << 14
"""Numbers of latents of a validation beyond one batch: no more than Stable Diffusion has in one at 512 pixels."""


class Noisy(NamedTuple):
    """Latents at their timesteps, and what the network should answer."""

    x_0: Tensor
    x_t: Tensor
    t: Tensor
    alpha_bar: Tensor
    wanted: Tensor


def already_encoded(batch: Batch) -> Tensor:
    """The moments of a batch that holds them as ``latents``."""
    moments: Tensor = batch["latents"]
    return moments


def as_they_are(batch: Batch) -> Batch:
    """The inputs of a conditioning where batches hold them as the network takes them."""
    return batch


def know_nothing_more(batch: Batch) -> Mapping[str, ClosedForm]:
    """No closed form of a batch of its own."""
    return {}


class DiffusionTask:
    """Denoising of standardised latents, drawn anew from their moments at each step.

    ``moments_of(batch)`` is ``(B, 2, *latent)``, mean and log-variance; ``mean`` and ``std`` standardise latents
    by channel; ``alphas_cumprod`` is float64 ``(T,)``. ``min_snr_gamma`` 0 weighs all timesteps alike;
    ``timestep_shift`` above 1 trains more on noise, and ``noise_offset`` shifts the noise of training by channel.
    ``inputs_of(batch)`` holds the inputs of ``conditioning`` by their names. ``trained`` are the networks that learn,
    under their names in checkpoints; without it the denoiser alone. ``closed_forms`` are denoisers without a network,
    whose losses stand beside the network's under their names; ``closed_forms_of(batch)`` know more of a batch, such as
    its captions. Validation asks every latent at ``validation_draws`` timesteps: one from the whole table, or two from
    each of half as many equal parts (``ValueError`` for another odd number). Where a batch holds ``valid``
    ``(B, 1, H, W)``, cells of maps count whose pixels all hold data.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        alphas_cumprod: Tensor,
        mean: Tensor,
        std: Tensor,
        prediction: Prediction = "eps",
        min_snr_gamma: float = 0.0,
        timestep_sampling: TimestepSampling = "uniform",
        timestep_shift: float = 1.0,
        noise_offset: float = 0.0,
        conditioning: Conditioning = UNCONDITIONAL,
        validation_draws: int = 1,
        trained: Mapping[str, nn.Module] | None = None,
        moments_of: Callable[[Batch], Tensor] = already_encoded,
        inputs_of: Callable[[Batch], Batch] = as_they_are,
        closed_forms: Mapping[str, ClosedForm] | None = None,
        closed_forms_of: Callable[[Batch], Mapping[str, ClosedForm]] = know_nothing_more,
    ) -> None:
        if validation_draws < 1 or (validation_draws > 1 and validation_draws % 2):
            raise ValueError(f"validation draws must be 1 or an even number, not {validation_draws}")
        self.denoiser, self.prediction = denoiser, prediction
        self.moments_of, self.inputs_of = moments_of, inputs_of
        self.alphas_cumprod, self.mean, self.std = alphas_cumprod, mean, std
        self.min_snr_gamma, self.noise_offset = min_snr_gamma, noise_offset
        self.trained = {"denoiser": denoiser} if trained is None else dict(trained)
        self.draw_timesteps = partial(sample_timesteps, timestep_sampling, len(alphas_cumprod), shift=timestep_shift)
        self.conditioning, self.validation_draws = conditioning, validation_draws
        self.closed_forms: dict[str, ClosedForm] = {"linear": denoise_standard, **(closed_forms or {})}
        self.closed_forms_of = closed_forms_of

    def modules(self) -> Mapping[str, nn.Module]:
        return self.trained

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"denoiser": [p for network in self.trained.values() for p in network.parameters()]}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        noisy, output = self.answer(batch)
        yield Turn("denoiser", self.loss(noisy, output))

    def answer(self, batch: Batch) -> tuple[Noisy, Tensor]:
        """Latents at random timesteps, and what the network says of them, some of its inputs left out."""
        noisy = self._diffuse(self.moments_of(batch), self.draw_timesteps, self.noise_offset)
        inputs = self.conditioning.drop(self.conditioning.select(self.inputs_of(batch)))
        return noisy, find_latent_gaps(batch, noisy.x_0).fill(self._predict(noisy, inputs), noisy.wanted)

    def loss(self, noisy: Noisy, output: Tensor) -> Tensor:
        """The weighted squared error of an answer, a scalar."""
        weight = min_snr_weight(self.prediction, noisy.alpha_bar, self.min_snr_gamma) if self.min_snr_gamma else None
        return weighted_mse(output, noisy.wanted, weight).mean()

    def validation(self) -> DenoisingFigures:
        return DenoisingFigures(self.evaluate)

    def evaluate(self, batch: Batch) -> Mapping[str, Tensor]:
        """``loss`` unweighted, and those of closed forms, of which ``linear`` knows only mean and variance.

        With several draws also ``loss_variance``, that of one latent's mean loss over its draws. Where the draws divide
        into quarters of the timesteps, from the least noise to the most, also the losses of each, ``_q1`` to ``_q4``.
        """
        moments, inputs = self.moments_of(batch), self.conditioning.select(self.inputs_of(batch))
        gaps = find_latent_gaps(batch, moments[:, 0])

        def compare(answer: Tensor, noisy: Noisy) -> Tensor:
            return gaps.over_valid_of_each(weighted_mse(gaps.fill(answer, noisy.wanted), noisy.wanted))

        losses: list[Tensor] = []
        closed_forms = {**self.closed_forms, **self.closed_forms_of(batch)}
        others: dict[str, list[Tensor]] = {name: [] for name in closed_forms}
        draws = list(self.draw_noisy(moments))
        for noisy, answer in zip(draws, self._answer_draws(draws, inputs), strict=True):
            losses.append(compare(answer, noisy))
            for name, closed_form in closed_forms.items():
                known = target(self.prediction, *closed_form(noisy.x_t, noisy.alpha_bar), noisy.alpha_bar)
                others[name].append(compare(known, noisy))
        figures = gaps.name_share(COUNTED)
        for name, own in {"loss": losses, **others}.items():
            figures |= {name: gaps.average(torch.stack(own)), **_by_quarter(name, own, gaps)}
        if self.validation_draws > 1:
            figures["loss_variance"] = gaps.average(variance_of_mean(torch.stack(losses)))
        return figures

    def draw_noisy(self, moments: Tensor) -> Iterator[Noisy]:
        """Latents of ``moments`` ``(B, 2, *latent)`` at the timesteps of each draw of the validation."""
        for draw in range(self.validation_draws):
            yield self._diffuse(moments, self._validation_timesteps(draw))

    def _validation_timesteps(self, draw: int) -> DrawTimesteps:
        if self.validation_draws == 1:
            return partial(sample_timesteps, "uniform", self._total)
        return partial(timesteps_of_stratum, self._total, draw // 2, self.validation_draws // 2)

    @property
    def _total(self) -> int:
        return len(self.alphas_cumprod)

    def _diffuse(self, moments: Tensor, draw_timesteps: DrawTimesteps, offset: float = 0.0) -> Noisy:
        with torch.no_grad():
            mu, logvar = moments.unbind(1)
            x_0 = (sample_latent(mu, logvar) - self.mean) / self.std
        # Drawn on the host, where the float64 table is: no device has to be waited for.
        t = draw_timesteps(len(x_0))
        eps, alpha_bar = add_offset(torch.randn_like(x_0), offset), self.alphas_cumprod[t]
        x_t, wanted = q_sample(x_0, eps, alpha_bar), target(self.prediction, x_0, eps, alpha_bar)
        return Noisy(x_0, x_t, t.to(x_0.device), alpha_bar, wanted)

    def _answer_draws(self, draws: Sequence[Noisy], inputs: Mapping[str, Tensor]) -> Iterator[Tensor]:
        """What the network says of each draw of a batch; small batches are asked of several draws in one go."""
        together = max(1, ASKED_AT_ONCE // draws[0].x_t.numel())
        for first in range(0, len(draws), together):
            some = draws[first : first + together]
            repeated = {name: torch.cat([value] * len(some)) for name, value in inputs.items()}
            yield from self._predict(Noisy(*map(torch.cat, zip(*some, strict=True))), repeated).chunk(len(some))

    def _predict(self, noisy: Noisy, inputs: Mapping[str, Tensor]) -> Tensor:
        return self.denoiser(noisy.x_t, noisy.t, **self.conditioning.as_arguments(inputs))


def name_by_quarter(name: str) -> tuple[str, ...]:
    """What validation calls a loss, and what it calls that loss in each quarter of the timesteps."""
    return (name, *(f"{name}_q{k + 1}" for k in range(QUARTERS)))


def _by_quarter(name: str, losses: list[Tensor], gaps: NoGaps) -> dict[str, Tensor]:
    """The mean of each quarter of losses that are in the order of timesteps, two of each part of the table."""
    if len(losses) % (2 * QUARTERS):
        return {}
    share = len(losses) // QUARTERS
    parts = [gaps.average(torch.stack(losses[k * share : (k + 1) * share])) for k in range(QUARTERS)]
    return dict(zip(name_by_quarter(name)[1:], parts, strict=True))
