"""Predictors that need no network."""

from __future__ import annotations

import torch

from rsforge.recipes.clip import baselines
from rsforge.recipes.clip.baselines import fit_baselines, score_alike, score_by_colour, score_by_count
from rsforge.recipes.clip.prompted_images import PromptedImages

PROMPTS = ["red", "blue", "held out"]


class Pairs:
    colours = torch.tensor([[1.0, 0, 0], [0.8, 0, 0], [0, 0, 1.0]])

    def __len__(self):
        return 3

    def __getitem__(self, key):
        return None, self.colours[key[1]][:, None, None].expand(3, 2, 2)


def fitted():
    return fit_baselines(PromptedImages(Pairs(), [0, 0, 1]), PROMPTS)


def test_counts_and_colours_are_those_of_the_training_images():
    known = fitted()
    assert known["counts"].tolist() == [2, 1, 0] and known["prompts"] == PROMPTS
    torch.testing.assert_close(known["colours"][:2], torch.tensor([[0.9, 0, 0], [0, 0, 1.0]]))
    assert known["colours"].isfinite().all()


def test_scores_follow_the_order_that_is_asked_for():
    images = torch.tensor([[0.0, 0, 0.7]])[:, :, None, None].expand(1, 3, 4, 4)
    prompts = ["held out", "red", "never seen", "blue"]
    assert score_by_count(fitted(), prompts, images).tolist() == [[0, 2, 0, 1]]
    order = score_by_colour(fitted(), prompts, images)[0]
    assert order.argmax() == 3 and order[1] > -torch.inf and order[0] == order[2] == -torch.inf
    assert score_alike({}, prompts, images).tolist() == [[0, 0, 0, 0]]


def test_a_prompt_of_none_of_the_images_used_gets_the_colour_of_all(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_IMAGES", 2)
    known = fit_baselines(PromptedImages(Pairs(), [0, 0, 1]), PROMPTS)
    torch.testing.assert_close(known["colours"][1], torch.tensor([0.9, 0, 0]))
    assert known["counts"].tolist() == [2, 1, 0]
