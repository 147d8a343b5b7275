"""Validation images: what is wrong with a training whose images are broken."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.text_to_image.validation_images import check_image, draw
from rsforge.settings.finetune import ValidationImageSettings
from tests.worlds.pretrained_model import make_model

OPTIONS = ValidationImageSettings(validation_prompt="trees", validation_images=2, validation_steps=2)


def spoil(network, value):
    with torch.no_grad():
        network.weight.fill_(value)


def test_images_are_those_of_their_seed_one_by_one():
    model = make_model()
    drawn = draw(model, OPTIONS, seed=1, where="x")
    pipeline = model.pipeline()
    walk = pipeline.walk("ddim", 2)
    both = pipeline.draw([0, 1], walk, seed=1, guide=model.guide(["trees"] * 2, OPTIONS.validation_guidance_scale))
    assert torch.allclose(drawn, both, atol=1e-5) and drawn.shape == (2, 3, 16, 16)


@pytest.mark.parametrize(("part", "value", "cause"), [
    (lambda model: model.unet.conv_out, float("nan"), "the network's latents are not finite"),
    (lambda model: model.autoencoder.post_quant_conv, float("inf"), "the autoencoder overflowed"),
    (lambda model: model.autoencoder.decoder.conv_out, 0.0, "one colour everywhere"),
])  # fmt: skip
def test_the_cause_of_a_broken_image_is_named(part, value, cause):
    model = make_model()
    spoil(part(model), value)
    with pytest.raises(RsforgeError, match=cause) as raised:
        draw(model, OPTIONS, seed=1, where="samples/epoch_1.png")
    assert raised.value.code == "RSF-T004" and raised.value.where == "samples/epoch_1.png"


def test_one_channel_with_a_pattern_is_an_image():
    image = torch.zeros(1, 3, 8, 8)
    image[0, 1, ::2] = 0.1
    check_image(torch.randn(1, 4, 4, 4), image, where="x")
