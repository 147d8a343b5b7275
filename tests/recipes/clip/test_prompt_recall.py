"""Images that prompts find, over a whole set."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.clip.prompt_recall import PromptRecall
from rsforge.settings.evaluation import MeasuringSettings


def test_it_is_over_the_images_of_all_batches_and_beside_the_best_baseline():
    recall = PromptRecall(["a", "b"], MeasuringSettings(resamples=100))
    batches = [([0, 1], [[0.9, 0.1], [0.2, 0.3]]), ([0], [[0.1, 0.8]])]
    for labels, scores in batches:
        alike = torch.zeros(len(labels), 2)
        predictions = {"model": {"scores": torch.tensor(scores)}, "chance": {"scores": alike}}
        recall.update(predictions, {"prompt": torch.tensor(labels)})
    result = {"figures": {"model": {}, "chance": {}}, "gain": {}}
    recall.add_to(result, {})
    # The prompt b finds the third image first, which is of a.
    assert result["figures"]["model"]["image_recall_1"]["mean"] == 0.5
    assert result["figures"]["chance"]["image_recall_1"]["mean"] == 0.5
    assert result["figures"]["model"]["image_recall_5"]["mean"] == 1
    gain = result["gain"]["image_recall_1"]
    assert gain["over"] == "chance" and gain["mean"] == pytest.approx(0, abs=1e-12)
