"""Figures of a set of latents: means, and how far other noise would have moved them."""

from __future__ import annotations

import math

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.tasks.denoising_figures import DenoisingFigures, draws_per_latent


def test_means_are_over_latents_and_the_error_is_that_of_their_mean() -> None:
    batches = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0])]
    figures = DenoisingFigures(lambda batch: {"loss": batch.mean(), "loss_variance": batch.mean() / 5})
    for batch in batches:
        figures.update(batch, len(batch))
    told = figures.compute(SingleProcess())
    assert told == {"loss": pytest.approx(4.0), "loss_se": pytest.approx(math.sqrt(4.0 / 5 / 4))}


def test_without_draws_to_tell_it_there_is_no_error() -> None:
    figures = DenoisingFigures(lambda batch: {"loss": batch.mean(), "linear": batch.mean()})
    figures.update(torch.ones(2), 2)
    assert figures.compute(SingleProcess()) == {"loss": 1.0, "linear": 1.0}


class Two(SingleProcess):
    """Rank 1 of two, which had no batch; rank 0 had four latents."""

    def from_first(self, value):
        return ["loss", "loss_variance"]

    def total(self, figures):
        return {"loss": 8.0, "loss_variance": 4.0, "count": 4.0}


def test_a_process_without_a_batch_gets_what_the_others_took() -> None:
    assert DenoisingFigures(lambda batch: {}).compute(Two()) == {"loss": 2.0, "loss_se": 0.5}


@pytest.mark.parametrize(
    ("held_out", "trained", "draws"), [(0, 9, 256), (2, 20, 256), (20, 180, 26), (100, 900, 10), (5000, 5000, 4)]
)
def test_the_fewer_latents_the_more_draws_of_each(held_out, trained, draws) -> None:
    assert draws_per_latent(held_out, trained) == draws
