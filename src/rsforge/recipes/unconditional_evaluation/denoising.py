"""The loss of a denoiser and of closed forms on each image, over all noise and in each quarter of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.engine.loader import IndexedDataset, Key
from rsforge.losses.gaps import VALID, shrink_valid
from rsforge.recipes.datasets.measured_subset import settings_of
from rsforge.recipes.diffusion.encode_latents import EncodedImages
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.diffusion.train import CLOSED_FORMS
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Figure, Prediction
from rsforge.recipes.judging.validation_figures import measure_sample
from rsforge.recipes.unconditional_evaluation.closed_forms import MEANINGS, Forms
from rsforge.tasks.denoising_figures import choose_judging_draws
from rsforge.tasks.diffusion import DiffusionTask, name_by_quarter

NAMES = name_by_quarter("loss")
INDEX, IMAGES, LATENTS, WHOLE = "index", "images", "latents", "whole"


class EncodedItems:
    """Images with their number, their moments, and whether all of their pixels hold data.

    What holds data are cells of maps of ``latent_shape`` whose pixels all do, and pixels for vectors.
    """

    def __init__(self, samples: IndexedDataset, pipeline: LatentPipeline) -> None:
        self.encoded, self.latent_shape = EncodedImages(samples, pipeline.autoencoder), pipeline.latent_shape

    def __len__(self) -> int:
        return len(self.encoded)

    def name(self, index: int) -> str:
        return self.encoded.name(index)

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return has_gaps(self.encoded.samples)

    def valid(self, key: Key) -> Tensor | None:
        """Where the latents of an image hold data."""
        valid = masks_of(self.encoded.samples)(key)
        if valid is None or len(self.latent_shape) == 1:
            return valid
        return shrink_valid(valid, self.latent_shape[-2:])

    def __getitem__(self, key: Key) -> dict[str, Any]:
        valid = masks_of(self.encoded.samples)(key)
        whole = torch.tensor(valid is None or bool(valid.all()))
        return {INDEX: key[1], WHOLE: whole, **self.encoded[key]}


def collect(items: Sequence[dict[str, Any]]) -> Batch:
    """A batch of ``EncodedItems``, whose numbers are a list."""
    columns = {name: [item[name] for item in items] for name in (INDEX, WHOLE, IMAGES, LATENTS)}
    return {name: column if name == INDEX else torch.stack(column) for name, column in columns.items()}


def choose_draws(state: Mapping[str, Any], asked: int | None) -> int:
    """At how many timesteps images are measured: as asked, else as the last lines of the training did."""
    return asked or choose_judging_draws(int(state.get("validation_draws", 0)))


def build_task(pipeline: LatentPipeline, forms: Forms, draws: int) -> DiffusionTask:
    """The task whose validation measures; closed forms have the places of ``CLOSED_FORMS`` in it."""
    return DiffusionTask(
        pipeline.denoiser,
        alphas_cumprod=pipeline.alphas_cumprod,
        mean=pipeline.mean,
        std=pipeline.std,
        prediction=pipeline.prediction,
        validation_draws=draws,
        closed_forms=forms,
    )


@dataclass(frozen=True)
class DenoisingLosses:
    """The losses of each image by its number, all predictors at the same noise, measured when they are asked for.

    The noise is that of the last lines of a training with this ``seed``.
    """

    task: DiffusionTask
    seed: int
    rows: dict[int, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of_training(cls, state: Mapping[str, Any], task: DiffusionTask, seed: int) -> DenoisingLosses:
        """With the noise that the training judged itself by, where its checkpoint says its seed."""
        return cls(task, int(settings_of(state, "run").get("seed", seed)))

    def read(self, who: str, batch: Batch) -> Prediction:
        """The losses ``(B,)`` of a predictor by name."""
        places = CLOSED_FORMS.get(who, NAMES)
        for place, index in enumerate(batch[INDEX]):
            if index not in self.rows:
                item = {name: batch[name][place] for name in (LATENTS, VALID) if name in batch}
                self.rows[index] = self._measure(item, index)
        rows = [self.rows[index] for index in batch[INDEX]]
        return {name: torch.tensor([row[place] for row in rows]) for name, place in zip(NAMES, places, strict=True)}

    def _measure(self, item: Mapping[str, Tensor], index: int) -> dict[str, float]:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            return measure_sample(self.task, item, index, self.task.mean.device, self.seed)

    def baseline(self, name: str) -> Baseline:
        """A closed form as a predictor of losses."""
        return Baseline(name, MEANINGS[name], partial(self.read, name))


def list_figures(prediction: str) -> list[Figure]:
    """The loss over all noise and in each quarter of the timesteps, the first with the least noise."""
    unit = f"squared error of standardised {prediction}"
    return [Figure(name, unit, False, partial(_read_loss, name)) for name in NAMES]


def _read_loss(name: str, prediction: Prediction, batch: Batch) -> Tensor:
    return prediction[name]
