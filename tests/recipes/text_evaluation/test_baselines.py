"""Other real images with what is theirs, and images of other captions."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.text_evaluation.baselines import OtherImages, caption_baseline, pair_others
from rsforge.recipes.text_evaluation.drawn_images import DrawnImages
from tests.worlds.captioned_latents import make_captioned

CPU = torch.device("cpu")


def test_other_images_come_with_their_own_captions_and_classes():
    images, tokens = make_captioned(6), torch.arange(6)[:, None]
    others = OtherImages(images, torch.tensor([0, -1, 1, -1, 0, 1]), tokens)
    chosen = others.choose(4, 1, classified=True)
    assert sorted(chosen) == [0, 2, 4, 5] and chosen == others.choose(4, 1, classified=True)
    assert others.choose(5, 1, classified=True) is None and others.explain_few(5, classified=True).startswith(
        "4 other real images of their classes, fewer than the 5"
    )
    assert len(set(others.choose(5, 1, classified=False))) == 5
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
