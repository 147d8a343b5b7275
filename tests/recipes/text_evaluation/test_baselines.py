"""Other real images with what is theirs, images of other captions, and decoded draws of a Gaussian."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.text_evaluation import baselines
from rsforge.recipes.text_evaluation.baselines import (
    OtherImages,
    caption_baseline,
    fit_latents,
    gaussian_baseline,
    pair_others,
)
from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_evaluation.drawn_images import DrawnImages
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pretrained_model import make_model

CPU = torch.device("cpu")


class Samples:
    """Images of 16 pixels, smooth and different."""

    def __getitem__(self, key):
        rows = torch.linspace(-1, 1, 16).view(1, 16, 1)
        return (rows * (key[1] + 1) / 8).expand(3, 16, 16).clamp(-1, 1)


def captioned(count: int) -> Captioned:
    return Captioned(Samples(), [[f"text {k}"] for k in range(count)], ["x"] * count)


def test_other_images_come_with_their_own_captions_and_classes():
    images, tokens = captioned(6), torch.arange(6)[:, None]
    others = OtherImages(images, torch.tensor([0, -1, 1, -1, 0, 1]), tokens)
    chosen = others.choose(4, 1, classified=True)
    assert sorted(chosen) == [0, 2, 4, 5] and chosen == others.choose(4, 1, classified=True)
    assert others.choose(5, 1, classified=True) is None and len(set(others.choose(5, 1, classified=False))) == 5
    baseline = others.baseline(chosen, CPU)
    given = baseline.predict({"index": [2, 0]})
    assert torch.equal(given["image"][0], images.samples[0, chosen[2]]) and baseline.reference
    assert given["tokens"].tolist() == [[chosen[2]], [chosen[0]]]
    assert given["class"].tolist() == others.classes[[chosen[2], chosen[0]]].tolist()


@pytest.mark.parametrize("count", [2, 3, 50])
def test_every_caption_gets_the_image_of_another_one_and_each_once(count):
    partners = pair_others(count, 1)
    assert sorted(partners) == list(range(count)) and all(k != other for k, other in enumerate(partners))
    kept = {k: torch.full((3, 2, 2), k, dtype=torch.uint8) for k in range(count)}
    given = caption_baseline(DrawnImages(None, kept), count, 1, CPU).predict({"index": [1]})["image"]
    assert torch.equal(given, torch.full((1, 3, 2, 2), partners[1] / 127.5 - 1))


def test_the_gaussian_is_that_of_standardised_latents_and_draws_by_number(monkeypatch):
    monkeypatch.setattr(baselines, "sample_latent", lambda mu, logvar: mu)
    model, images = make_model(), captioned(8)
    pipeline = model.pipeline()
    gaussian = fit_latents(images, pipeline, 1, RecordingConsole(), batch_size=3)
    x = torch.stack([images.samples[0, k] for k in range(8)])
    with torch.no_grad():
        latents = model.autoencoder.encode(x)[0].flatten(1) * model.networks.scaling_factor
    torch.testing.assert_close(gaussian.mean, latents.mean(0), atol=1e-4, rtol=1e-4)
    assert gaussian.variance == pytest.approx(float(latents.var(0, correction=0).mean()), rel=1e-3)
    predict = gaussian_baseline(gaussian, pipeline, 1).predict
    together, alone = predict({"index": [0, 1]})["image"], predict({"index": [1]})["image"]
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)
    assert together.shape == (2, 3, 16, 16) and not torch.allclose(together[0], together[1])
