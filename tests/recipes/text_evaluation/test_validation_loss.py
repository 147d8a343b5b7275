"""The validation loss of an evaluation: that of the training where it says how it measured, by the same noise."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_evaluation.validation_loss import LossPlan, ValidationLoss, fit_closed_forms
from tests.worlds.captioned_latents import make_other_latents
from tests.worlds.pretrained_model import make_model

CPU = torch.device("cpu")


class Samples:
    def __len__(self):
        return 3

    def name(self, index):
        return str(index)

    def __getitem__(self, key):
        return torch.full((3, 16, 16), key[1] / 4)


def test_the_plan_is_that_of_the_training_where_it_is_known():
    state = {"validation_draws": 6, "settings": {"run": {"seed": 9}, "loop": {"batch_size": 5}}}
    assert LossPlan.of_training(state, None, 1, 2) == LossPlan(6, 9, 5)
    assert LossPlan.of_training(state, 8, 1, 2).draws == 8
    assert LossPlan.of_training({}, None, 1, 2) == LossPlan(4, 1, 2)


def test_it_is_the_same_each_time_and_knows_the_captions():
    model = make_model()
    with torch.no_grad():
        for parameter in model.unet.parameters():
            parameter.add_(0.1)

    def measure(text):
        images = Captioned(Samples(), [[text], ["trees"], ["river", "rivers"]], ["", "", ""])
        result = {}
        assert ValidationLoss(model, images, LossPlan(4, 1, 2), CPU).add_to(result, {}) == []
        return result

    state = torch.get_rng_state()
    first, again, other = measure("a river"), measure("a river"), measure("an airport")
    assert torch.equal(state, torch.get_rng_state())
    assert first == again and first["validation_loss"]["loss"] != other["validation_loss"]["loss"]
    assert first["validation_loss"]["linear"] == pytest.approx(other["validation_loss"]["linear"])
    assert first["findings"][0].startswith("The validation loss is") and "±" in first["findings"][0]


def test_closed_forms_of_other_latents_stand_beside_the_loss_and_one_reads_captions():
    model = make_model()
    forms = fit_closed_forms(make_other_latents(model))

    def measure(*captions):
        images = Captioned(Samples(), [[caption] for caption in captions], ["", "", ""])
        result = {}
        ValidationLoss(model, images, LossPlan(4, 1, 2), CPU, forms).add_to(result, {})
        return result["validation_loss"], result["findings"][0]

    (one, text), (other, _) = measure("a river", "trees", "trees"), measure("an airport", "trees", "trees")
    assert one["gaussian"] == pytest.approx(other["gaussian"])
    assert one["caption_gaussian"] != pytest.approx(other["caption_gaussian"], rel=0.01)
    assert f"of captions {one['caption_gaussian']:.4g}" in text and f"latents {one['gaussian']:.4g}" in text
    assert fit_closed_forms(None) is None
