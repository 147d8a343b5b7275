"""Images with the numbers of their prompts."""

from __future__ import annotations

import torch

from rsforge.recipes.clip.prompted_images import PromptedImages, number_prompts


class Pairs:
    def __len__(self):
        return 3

    def name(self, index):
        return f"pair {index}"

    def __getitem__(self, key):
        return torch.full((1, 2, 2), -1.0), torch.full((3, 2, 2), float(key[1]))


def test_prompts_are_numbered_as_they_come():
    assert number_prompts(["b", "a", "b", "c"]) == (["b", "a", "c"], [0, 1, 0, 2])


def test_an_item_is_the_optical_image_with_its_prompt():
    samples = PromptedImages(Pairs(), [5, 7, 5])
    item = samples[4, 1]
    assert torch.equal(item["images"], torch.ones(3, 2, 2)) and int(item["prompt"]) == 7
    assert (len(samples), samples.name(2)) == (3, "pair 2")
