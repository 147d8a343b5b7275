"""Losses by image: the noise of each, and what of images with gaps counts."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.diffusion.load import open_model
from rsforge.recipes.unconditional_evaluation.denoising import (
    NAMES,
    DenoisingLosses,
    EncodedItems,
    build_task,
    choose_draws,
    collect,
)

CPU = torch.device("cpu")


class Images:
    """Four images of 16 pixels; the first five columns of the second, and all of the third, hold no data."""

    has_gaps = True

    def __len__(self):
        return 4

    def name(self, index):
        return f"image {index}"

    def valid(self, key):
        mask = torch.ones(1, 16, 16, dtype=torch.bool)
        mask[..., : {1: 5, 2: 16}.get(key[1], 0)] = False
        return mask

    def __getitem__(self, key):
        return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(key[1])) * 2 - 1


@pytest.fixture(scope="module")
def pipeline(job):
    return open_model(job.diffusion / "best_model.pt", None, CPU, averaged=True).pipeline


@pytest.mark.parametrize(("trained", "asked", "draws"), [(8, None, 8), (14, None, 64), (8, 32, 32), (None, None, 64)])
def test_draws_are_those_that_judged_the_training(trained, asked, draws):
    assert choose_draws({} if trained is None else {"validation_draws": trained}, asked) == draws


def test_the_noise_of_an_image_depends_on_its_number_alone(pipeline):
    items, task = EncodedItems(Images(), pipeline), build_task(pipeline, {}, 8)
    batches = [[0, 1, 3], [3], [1, 0]]
    found = [DenoisingLosses(task, 5).read("model", collect([items[0, k] for k in numbers])) for numbers in batches]
    assert set(found[0]) == set(NAMES)
    assert torch.equal(found[0]["loss"][2:], found[1]["loss"]) and torch.equal(
        found[0]["loss_q2"][[1, 0]], found[2]["loss_q2"]
    )
    other = DenoisingLosses(task, 6).read("model", collect([items[0, 3]]))
    assert not torch.equal(other["loss"], found[1]["loss"])


def test_nothing_else_is_drawn_or_switched_while_it_is_measured(pipeline):
    items, task = EncodedItems(Images(), pipeline), build_task(pipeline, {}, 8)
    state = torch.get_rng_state()
    DenoisingLosses(task, 5).read("model", collect([items[0, 0]]))
    assert torch.equal(torch.get_rng_state(), state) and not pipeline.denoiser.training


def test_a_batch_says_which_images_are_whole_and_where_latents_hold_data(pipeline):
    items = EncodedItems(Images(), pipeline)
    batch = collect([items[0, k] for k in range(4)])
    assert batch["index"] == [0, 1, 2, 3] and batch["whole"].tolist() == [True, False, False, True]
    assert items.has_gaps and len(items) == 4 and items.name(3) == "image 3"
    assert items.valid((0, 1)).shape == (1, 16, 16)  # a vector holds no places
    items.latent_shape = (4, 4, 4)
    assert items.valid((0, 1)).sum(dim=-1).flatten().tolist() == [2] * 4 and not items.valid((0, 2)).any()
