"""Latents of captioned images as the U-Net sees them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.metrics.caption_gaussian import fit_captions
from rsforge.recipes.text_to_image.captioned_images import load_captioned
from rsforge.recipes.text_to_image.encode_images import (
    encode_fresh,
    fit_to_captions,
    load_or_encode,
    read_captions,
)
from rsforge.recipes.text_to_image.encode_texts import number_tokens
from rsforge.recipes.training.job import Compute
from rsforge.settings.base import RunSettings
from rsforge.settings.finetune import CaptionedImageSettings, FinetuneSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pretrained_model import make_model

HERE = Compute(torch.device("cpu"), SingleProcess())


@pytest.mark.parametrize("flip", [False, True])
def test_stored_latents_are_those_encoded_anew_both_views_where_images_are_mirrored(text_world, tmp_path, flip):
    data = CaptionedImageSettings(data_dir=str(text_world.images), image_size=16, random_flip=flip)
    settings = FinetuneSettings(run=RunSettings(output_dir=tmp_path), data=data)
    captioned, model = load_captioned(data, settings.run, RecordingConsole()), make_model()
    stored = load_or_encode(settings, captioned, model, tmp_path / "cache", HERE, RecordingConsole())
    fresh = encode_fresh(captioned, model, HERE)
    assert torch.equal(stored.mean, torch.zeros(4, 1, 1)) and torch.equal(stored.std, torch.full((4, 1, 1), 2.0))
    images = torch.stack([captioned.images.plain[0, k] for k in range(9)])
    views = [torch.stack(model.autoencoder.encode(x), 1) for x in (images, images.flip(-1))]
    seen = set()
    for epoch in range(6):
        moments = stored.train[epoch, 4]["latents"]
        seen |= {k for k in range(2) if torch.allclose(moments, views[k][4], atol=1e-5)}
    assert seen == ({0, 1} if flip else {0})
    held_out = fresh.moments_of({"images": fresh.held_out[0, 0]["images"][None]})
    assert np.allclose(stored.held_out[3, 0]["latents"], held_out[0], atol=1e-5)


def test_the_closed_form_of_captions_is_fitted_to_stored_latents_with_the_captions_of_their_images(
    text_world, tmp_path, monkeypatch
):
    data = CaptionedImageSettings(data_dir=str(text_world.images), image_size=16, random_flip=True)
    settings = FinetuneSettings(run=RunSettings(output_dir=tmp_path), data=data)
    captioned, model = load_captioned(data, settings.run, RecordingConsole()), make_model()
    stored = load_or_encode(settings, captioned, model, tmp_path / "cache", HERE, RecordingConsole())
    tokens, given = number_tokens(model, captioned.texts), {}
    monkeypatch.setattr(
        "rsforge.recipes.text_to_image.encode_images.fit_captions",
        lambda latents, captions: given.update(latents=latents, captions=captions) or fit_captions(latents, captions),
    )
    form = fit_to_captions(stored, captioned, tokens, 1)
    latents, captions = given["latents"], given["captions"]
    assert len(latents) == 18 and captions.image.max() == 17  # nine images, both views
    for place in (0, 5, 17):
        view = np.array(stored.train.arrays["latents"][place // 2, place % 2])
        noise = latents[place] - torch.from_numpy(view[0]).flatten() / 2
        assert noise.abs().max() < 5 * np.exp(view[1].max() / 2)
        own = captioned.numbers.train[place // 2]
        assert np.array_equal(captions.tokens[captions.image == place], tokens[own])
    batch = {"tokens": torch.from_numpy(tokens[:2])}
    torch.testing.assert_close(read_captions(form, batch)["caption_gaussian"].mean, form.read(batch["tokens"]).mean)
    assert (
        read_captions(None, batch) == {}
        and fit_to_captions(encode_fresh(captioned, model, HERE), captioned, tokens, 1) is None
    )
