"""Closed forms from checkpoints, and decoded draws of their distributions."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.diffusion.encode_latents import Latents, fit_closed_forms
from rsforge.recipes.diffusion.load import open_model
from rsforge.recipes.diffusion.train import describe_gaussian
from rsforge.recipes.unconditional_evaluation.closed_forms import (
    draw_latents,
    restore_closed_forms,
)
from rsforge.tasks.diffusion import already_encoded

CPU = torch.device("cpu")
SHAPE = (2, 3, 3)


@pytest.fixture(scope="module")
def forms():
    latents = torch.randn(40, *SHAPE, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.5, 2, 3)
    return fit_closed_forms(latents, torch.zeros(2, 1, 1), torch.ones(2, 1, 1))


@pytest.fixture(scope="module")
def stored(forms):
    return describe_gaussian(Latents([], [], already_encoded, torch.zeros(1), torch.ones(1), forms))


def test_what_a_training_stores_denoises_as_it_did(forms, stored):
    restored = restore_closed_forms({"baselines": stored}, SHAPE, CPU)
    x_t, alpha_bar = torch.randn(5, *SHAPE), torch.rand(5)
    assert restored.keys() == forms.keys()
    for name, form in restored.items():
        for ours, theirs in zip(form(x_t, alpha_bar), forms[name](x_t, alpha_bar), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("state", [{}, {"baselines": {}}, {"baselines": None}])
def test_a_checkpoint_without_any_has_none(state):
    assert restore_closed_forms(state, SHAPE, CPU) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"gaussian": {}},
        {"gaussian": {"basis": torch.eye(4)}},
        {"gaussian": {"basis": "text"}},
        {"scale_mixture": {"weights": torch.ones(2, 2)}},
        {"scale_mixture": {"unknown": 1}},
    ],
)
def test_what_does_not_fit_is_refused(stored, change):
    (name, own), *_ = change.items()
    changed = {**stored, name: {**stored[name], **own} if own else own}
    with pytest.raises(RsforgeError, match="do not fit its latents") as caught:
        restore_closed_forms({"baselines": changed}, SHAPE, CPU)
    assert caught.value.code == "RSF-C003"


def test_draws_of_a_number_do_not_depend_on_the_others_forms(job, forms):
    pipeline = open_model(job.diffusion / "best_model.pt", None, CPU, averaged=True).pipeline
    alone = draw_latents({}, pipeline, 4, 7)
    assert list(alone) == ["standard_normal"] and alone["standard_normal"].shape == (4, *pipeline.latent_shape)
    fitted = fit_closed_forms(torch.randn(30, *pipeline.latent_shape), torch.zeros(1), torch.ones(1))
    both = draw_latents(fitted, pipeline, 4, 7)
    assert list(both) == ["gaussian", "scale_mixture", "standard_normal"]
    assert torch.equal(both["standard_normal"], alone["standard_normal"])
    assert not torch.equal(draw_latents({}, pipeline, 4, 8)["standard_normal"], alone["standard_normal"])
