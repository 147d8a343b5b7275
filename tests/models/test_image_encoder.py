"""The image tower and the head of a contrastive model."""

from __future__ import annotations

import math

import pytest
import torch

from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder


@torch.no_grad()
def test_images_of_any_size_become_one_vector_each():
    network = ImageEncoder(channels=(8, 16))
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 16)
    assert network(torch.randn(1, 3, 13, 21)).shape == (1, 16)


@torch.no_grad()
def test_the_colour_of_an_even_image_reaches_the_vector():
    """Seasons differ in the mean colour, which normalisation over single channels would take away."""
    torch.manual_seed(0)
    network = ImageEncoder(channels=(16, 32)).eval()
    colours = torch.tensor([[0.2, 0.6, 0.1], [0.7, 0.5, 0.2]])[:, :, None, None].expand(-1, -1, 32, 32)
    first, second = network(colours)
    assert float((first - second).norm()) > 0.1 * float(first.norm())


@torch.no_grad()
def test_both_towers_come_to_unit_vectors_of_one_space():
    head = ContrastiveHead(text_width=6, image_width=4, width=5)
    for vectors in (head.embed_texts(torch.randn(3, 6)), head.embed_images(torch.randn(3, 4))):
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))
        assert vectors.shape == (3, 5)


@torch.no_grad()
def test_the_temperature_starts_at_007_and_the_scale_ends_at_100():
    head = ContrastiveHead(text_width=2, image_width=2, width=2)
    assert float(head.scale) == pytest.approx(1 / 0.07)
    head.logit_scale.data.fill_(math.log(1e6))
    assert float(head.scale) == 100
    assert head.logit_scale.requires_grad
