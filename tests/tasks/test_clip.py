"""A few steps of the contrast between prompts and images."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.task import StepContext
from rsforge.losses.contrastive import contrastive_loss
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder
from rsforge.tasks.clip import ClipTask

TOKENS = torch.tensor([[2, 4, 3, 0], [2, 5, 3, 0], [2, 6, 7, 3]])


@pytest.fixture
def task() -> ClipTask:
    torch.manual_seed(0)
    text = TextEncoder(vocab_size=8, embedding_dim=8, max_length=4, num_heads=2, num_layers=1)
    head = ContrastiveHead(text_width=8, image_width=8, width=6)
    return ClipTask(text, ImageEncoder(channels=(4, 8)), head, TOKENS)


def coloured(labels: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """Images whose colour is that of their prompt, with noise."""
    g = torch.Generator().manual_seed(seed)
    colours = torch.tensor([[0.8, -0.5, -0.5], [-0.5, 0.8, -0.5], [-0.5, -0.5, 0.8]])
    images = colours[labels][:, :, None, None] + 0.2 * torch.randn(len(labels), 3, 8, 8, generator=g)
    return {"images": images, "prompt": labels}


def test_a_step_is_the_loss_of_both_towers(task):
    batch = coloured(torch.tensor([0, 1, 0, 2]))
    (turn,) = task.step(batch, StepContext())
    last = torch.tensor([2, 2, 2, 3])
    pooled = task.text_encoder(TOKENS[batch["prompt"]])[torch.arange(4), last]
    texts = torch.nn.functional.normalize(pooled @ task.head.text_projection.weight.T, dim=1)
    images = task.embed_images(batch["images"])
    labels = batch["prompt"]
    expected = contrastive_loss(images, texts, labels, images, texts, labels, first=0, scale=1 / 0.07)
    torch.testing.assert_close(turn.loss, expected)
    assert float(turn.report["temperature"].detach()) == pytest.approx(0.07)


def test_trap_10_prompts_are_learnt_from_images_and_every_part_is_trained(task):
    optimizer = torch.optim.Adam(task.groups()["clip"], lr=3e-3)
    before = {name: p.detach().clone() for name, p in task.text_encoder.named_parameters()}
    for step in range(40):
        (turn,) = task.step(coloured(torch.arange(12) % 3, step), StepContext())
        optimizer.zero_grad()
        turn.loss.backward()
        optimizer.step()
    assert all(p.grad is not None for p in task.groups()["clip"])
    assert any(not torch.equal(p, before[name]) for name, p in task.text_encoder.named_parameters())
    figures = measure(task, coloured(torch.arange(12) % 3, 99))
    assert figures["recall_1"] > 0.9 and figures["chance_1"] == pytest.approx(1 / 3)


@torch.no_grad()
def measure(task, *batches):
    accumulator = task.validation()
    for batch in batches:
        accumulator.update(batch, len(batch["prompt"]))
    return accumulator.compute(SingleProcess())


def test_figures_of_the_set_do_not_depend_on_batches(task):
    whole = coloured(torch.tensor([0, 1, 0, 2, 1]))
    parts = [{name: value[a:b] for name, value in whole.items()} for a, b in ((0, 1), (1, 5))]
    assert measure(task, *parts) == pytest.approx(measure(task, whole), rel=1e-5)


def test_recall_is_against_the_distinct_prompts_that_the_set_has(task):
    figures = measure(task, coloured(torch.tensor([0, 2, 0, 2, 2])))
    assert (figures["chance_1"], figures["chance_5"], figures["recall_5"]) == (0.5, 1, 1)
    assert math.isfinite(figures["loss"])


def test_negatives_come_from_all_processes(task):
    """Half of a batch beside the other half of another process has the loss of the whole batch."""
    whole = coloured(torch.tensor([0, 1, 0, 2]))
    (expected,) = task.step(whole, StepContext())
    losses = []
    for rank, rows in enumerate((slice(0, 2), slice(2, 4))):
        answers = iter([torch.tensor([2, 2]), task.embed_images(whole["images"]), task.embed_prompts(whole["prompt"]),
                        whole["prompt"]])  # fmt: skip
        world = SimpleNamespace(rank=rank, gather=lambda values, answers=answers: next(answers))
        own = {name: value[rows] for name, value in whole.items()}
        (turn,) = task.step(own, StepContext(world=world))
        losses.append(turn.loss)
    torch.testing.assert_close(sum(losses) / 2, expected.loss)
