"""The contrastive loss, against a loop over single pairs."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from rsforge.losses import contrastive
from rsforge.losses.contrastive import contrastive_loss, contrastive_loss_of_set

LABELS = torch.tensor([0, 1, 0, 2, 1, 3])


def unit(count: int, seed: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, 4, generator=g, dtype=torch.float64), dim=1)


def by_hand(images, texts, labels, scale) -> float:
    total = 0.0
    for i in range(len(images)):
        for query, candidates in ((images[i], texts), (texts[i], images)):
            allowed = [j for j in range(len(labels)) if j == i or labels[j] != labels[i]]
            terms = [math.exp(float(scale * query @ candidates[j])) for j in allowed]
            total -= math.log(math.exp(float(scale * query @ candidates[i])) / sum(terms))
    return total / (2 * len(images))


def whole(images, texts, labels, scale):
    return contrastive_loss(images, texts, labels, images, texts, labels, first=0, scale=scale)


@pytest.mark.parametrize("scale", [1.0, 14.0])
def test_it_is_what_a_loop_over_pairs_gives(scale):
    images, texts = unit(6, 0), unit(6, 1)
    assert float(whole(images, texts, LABELS, scale)) == pytest.approx(by_hand(images, texts, LABELS, scale), rel=1e-12)


def test_equal_prompts_are_no_negatives_of_each_other():
    images, texts = unit(6, 0), unit(6, 1)
    apart = torch.arange(6)
    assert float(whole(images, texts, LABELS, 5.0)) < float(whole(images, texts, apart, 5.0))
    expected = F.cross_entropy(5 * images @ texts.T, apart) + F.cross_entropy(5 * texts @ images.T, apart)
    torch.testing.assert_close(whole(images, texts, apart, 5.0), expected / 2)
    assert float(whole(images, texts, torch.zeros(6), 5.0)) == 0


def test_gradients_are_finite_and_right():
    images, texts, scale = unit(6, 0).requires_grad_(), unit(6, 1).requires_grad_(), torch.tensor(3.0).double()
    scale.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y, s: whole(x, y, LABELS, s), (images, texts, scale))


def test_shares_of_a_batch_give_the_loss_of_the_whole_batch():
    images, texts = unit(6, 0), unit(6, 1)
    parts = [
        contrastive_loss(images[a:b], texts[a:b], LABELS[a:b], images, texts, LABELS, first=a, scale=7.0) * (b - a) / 6
        for a, b in ((0, 4), (4, 6))
    ]
    torch.testing.assert_close(sum(parts), whole(images, texts, LABELS, 7.0))


@pytest.mark.parametrize("chunk", [2, 100])
def test_of_a_set_each_prompt_counts_once(monkeypatch, chunk):
    monkeypatch.setattr(contrastive, "CHUNK", chunk)
    images, texts, scale, total = unit(6, 0), unit(4, 1), 6.0, 0.0
    scores = (scale * images @ texts.T).tolist()
    for i, label in enumerate(LABELS.tolist()):
        own = math.exp(scores[i][label])
        others = sum(math.exp(scores[j][label]) for j in range(6) if LABELS[j] != label)
        total -= math.log(own / sum(map(math.exp, scores[i]))) + math.log(own / (own + others))
    assert float(contrastive_loss_of_set(images, texts, LABELS, scale=scale)) == pytest.approx(total / 12, rel=1e-12)
