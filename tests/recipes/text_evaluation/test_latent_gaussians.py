"""Decoded draws of Gaussians: the one of all latents, and the one whose mean follows the words of captions."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.shrunk_gaussian import fit_shrunk
from rsforge.recipes.text_evaluation import latent_gaussians
from rsforge.recipes.text_evaluation.latent_gaussians import (
    Asked,
    OtherLatents,
    caption_gaussian_baseline,
    encode_latents,
    gaussian_baseline,
)
from tests.worlds.captioned_latents import make_captioned, make_other_latents
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pretrained_model import make_model

TEXTS = ("a river", "an airport", "trees beside a river", "trees")


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def latents(model) -> OtherLatents:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_gaussians, "sample_latent", lambda mu, logvar: mu)
        return encode_latents(
            make_captioned(8, TEXTS), model.pipeline(), model.tokenizer, 1, RecordingConsole(), size=3
        )  # fmt: skip


def ask(model, *captions: str, guidance: float = 1.0, negative: str = "") -> Asked:
    return Asked(model.tokenizer.encode(captions), model.tokenizer.encode([negative]), guidance)


def test_latents_are_standardised_and_captions_stay_with_them(model, latents):
    images = make_captioned(8)
    x = torch.stack([images.samples[0, k] for k in range(8)])
    with torch.no_grad():
        expected = model.autoencoder.encode(x)[0].flatten(1) * model.networks.scaling_factor
    torch.testing.assert_close(latents.rows, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(latents.captions.first, model.tokenizer.encode([*TEXTS, *TEXTS]))


def test_the_gaussian_is_that_of_the_latents_and_draws_by_number(model, latents, monkeypatch):
    pipeline = model.pipeline()
    baseline = gaussian_baseline(latents, pipeline, 1)
    together, alone = baseline.predict({"index": [0, 1]})["image"], baseline.predict({"index": [1]})["image"]
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)
    assert together.shape == (2, 3, 16, 16) and not torch.allclose(together[0], together[1])
    assert "8 real images" in baseline.meaning


def test_draws_of_a_caption_have_the_mean_of_its_words_and_guidance_leads_on(model, monkeypatch):
    latents, shown = make_other_latents(model), {}
    monkeypatch.setattr(latent_gaussians, "_decode", lambda rows, pipeline: shown.update(rows=rows) or {})

    def draw(index: int, *captions: str, **asked) -> torch.Tensor:
        baseline = caption_gaussian_baseline(latents, model.pipeline(), ask(model, *captions, **asked), 1)
        baseline.predict({"index": [index]})
        return shown["rows"][0]

    words, left = latents.told
    means = words.predict(model.tokenizer.encode(["a river", "an airport"]))
    river, airport = draw(1, "an airport", "a river"), draw(1, "a river", "an airport")
    torch.testing.assert_close(river - airport, means[0] - means[1], atol=1e-5, rtol=1e-4)
    noise = torch.Generator().manual_seed(latent_gaussians.derive(1, "latent_gaussian", 1))
    torch.testing.assert_close(river, means[0] + fit_shrunk(left).sample(noise), atol=1e-5, rtol=1e-4)
    guided = draw(1, "", "a river", guidance=3)
    torch.testing.assert_close(guided - river, 2 * (means[0] - words.mean), atol=1e-5, rtol=1e-4)
    away = draw(1, "", "a river", guidance=3, negative="an airport")
    torch.testing.assert_close(away - river, 2 * (means[0] - means[1]), atol=1e-5, rtol=1e-4)
    assert (means[0] - means[1]).abs().max() > 1e-3  # the captions tell something here


def test_its_meaning_says_how_it_was_fitted(model, latents):
    meaning = caption_gaussian_baseline(latents, model.pipeline(), ask(model, "a river"), 1).meaning
    assert "linear in the" in meaning and "by folds" in meaning and "guided with the model" in meaning
