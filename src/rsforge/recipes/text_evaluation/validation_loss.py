"""The stratified validation loss of a fine-tuning, on the images that are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from rsforge.engine.loader import BatchLoader
from rsforge.engine.validation import Validation
from rsforge.metrics.caption_gaussian import CaptionGaussian, fit_remainder
from rsforge.metrics.gaussian_denoiser import fit_denoiser
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.noise.gaussian_denoiser import GaussianDenoiser
from rsforge.noise.schedules import table_of
from rsforge.recipes.datasets.measured_subset import settings_of
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.diffusion.encode_latents import GAUSSIAN, Encoder
from rsforge.recipes.diffusion.sar_pipeline import TEXT
from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.evaluation.evaluation import Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.summary import to_number
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_evaluation.latent_gaussians import OtherLatents
from rsforge.recipes.text_to_image.captioned_images import CaptionedSamples
from rsforge.recipes.text_to_image.encode_images import CAPTION_GAUSSIAN, IMAGES
from rsforge.tasks.diffusion import DiffusionTask

SECTION, PLAN = "validation_loss", "measured_by"
FEWEST_DRAWS = 4
LABELS = {
    "linear": "the best linear denoiser",
    GAUSSIAN: "the best one of normally distributed latents",
    CAPTION_GAUSSIAN: "the same about means that are linear in the words of captions",
}
"""Denoisers without a network, by the names of their losses."""


@dataclass(frozen=True)
class LossPlan:
    """At how many timesteps each image is measured, and the seed and the size of batches that choose the noise."""

    draws: int
    seed: int
    batch_size: int

    @classmethod
    def of_training(cls, state: Mapping[str, Any], draws: int | None, seed: int, batch_size: int) -> LossPlan:
        """As the training measured it, where the checkpoint says how: then the held-out loss is that of its journal."""
        run, loop = settings_of(state, "run"), settings_of(state, "loop")
        taken = draws or int(state.get("validation_draws", 0)) or FEWEST_DRAWS
        return cls(taken, int(run.get("seed", seed)), int(loop.get("batch_size", batch_size)))


@dataclass(frozen=True)
class ClosedForms:
    """Denoisers without a network, fitted to other images: that of normal latents, and that which reads captions."""

    gaussian: GaussianDenoiser
    captions: CaptionGaussian

    def to(self, device: torch.device) -> ClosedForms:
        """The same on ``device``."""
        return ClosedForms(self.gaussian.to(device), self.captions.to(device))


def fit_closed_forms(latents: OtherLatents | None) -> ClosedForms | None:
    """Both, of the latents of other images, None without these."""
    if latents is None:
        return None
    return ClosedForms(fit_denoiser(latents.rows), fit_remainder(*latents.told))


class ValidationLoss:
    """The section ``validation_loss``: ``loss``, those of denoisers without a network, and the error of the first."""

    figures: tuple[Figure, ...] = ()

    def __init__(
        self,
        model: PretrainedModel,
        images: Captioned,
        plan: LossPlan,
        device: torch.device,
        closed_forms: ClosedForms | None = None,
    ) -> None:
        self.model, self.images, self.plan, self.device = model, images, plan, device
        self.closed_forms = None if closed_forms is None else closed_forms.to(device)

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Nothing is kept."""

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """Measure, and say what it is beside the linear denoiser."""
        found = {name: to_number(value) for name, value in measure_loss(self).items()}
        result[SECTION] = {**found, PLAN: asdict(self.plan)}
        error = f" ± {found['loss_se']:.2g}" if found.get("loss_se") is not None else ""
        others = ", ".join(f"of {LABELS[name]} {found[name]:.4g}" for name in LABELS if name in found)
        text = f"The validation loss is {found['loss']:.4g}{error}, that {others}"
        result[FINDINGS] = [*result.get(FINDINGS, []), text]
        return []


def measure_loss(part: ValidationLoss) -> dict[str, float]:
    """``loss``, ``loss_se`` and the losses of ``LABELS``, as trainings measure them on what they hold out."""
    model, plan = part.model, part.plan
    shape = (model.autoencoder.latent_channels, 1, 1)
    forms = part.closed_forms
    task = DiffusionTask(
        model.unet,
        alphas_cumprod=table_of(model.schedule),
        mean=torch.zeros(shape, device=part.device),
        std=torch.full(shape, 1 / model.networks.scaling_factor, device=part.device),
        prediction=model.prediction,
        conditioning=Conditioning((ConditionInput(TEXT, "context", 0.0, null=model.reader([""])[0]),)),
        validation_draws=plan.draws,
        moments_of=Encoder(model.autoencoder).moments_of,
        inputs_of=lambda batch: {TEXT: read_texts(model, batch[TEXT])},
        closed_forms={} if forms is None else {GAUSSIAN: forms.gaussian},
        closed_forms_of=lambda batch: {} if forms is None else {CAPTION_GAUSSIAN: forms.captions.read(batch[TEXT])},
    )
    every = list(dict.fromkeys(text for texts in part.images.texts for text in texts))
    number = {text: k for k, text in enumerate(every)}
    numbers = [[number[text] for text in texts] for texts in part.images.texts]
    rows = model.tokenizer.encode(every).numpy()
    samples = CaptionedSamples(NamedSamples(part.images.samples, (IMAGES,)), numbers, rows, seed=plan.seed)
    loader = BatchLoader(samples, batch_size=plan.batch_size, seed=plan.seed, shuffle=False)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.no_grad():
        return Validation(task, loader, device=part.device, seed=plan.seed)(prefix="")


def read_texts(model: PretrainedModel, tokens: Tensor) -> Tensor:
    """The vectors of token ids."""
    return model.reader.read(tokens)
