"""What predictors without a network know of prompts: how often each is, and the mean colour of its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.data.io.threads import map_in_threads
from rsforge.recipes.clip.prompted_images import PromptedImages

Scorer = Callable[[Mapping[str, Any], Sequence[str], Tensor], Tensor]
MOST_IMAGES = 4096


def fit_baselines(samples: PromptedImages, prompts: Sequence[str]) -> dict[str, Any]:
    """Of the training images: the ``prompts`` they have, how many of them each has, and their mean ``colours``.

    Counts are of all images, colours ``(P, 3)`` of at most ``MOST_IMAGES`` evenly spread ones; a prompt that none of
    these has gets the mean colour of all.
    """
    counts = torch.bincount(torch.tensor(samples.prompts), minlength=len(prompts))
    total, used = len(samples), min(len(samples), MOST_IMAGES)
    chosen = [k * total // used for k in range(used)]
    images = map_in_threads(lambda index: samples[0, index]["images"], chosen)
    colours = torch.cat([mean_colours(image[None]) for image in images])
    labels = torch.tensor([samples.prompts[index] for index in chosen])
    means = colours.mean(0).repeat(len(prompts), 1)
    for label in labels.unique().tolist():
        means[label] = colours[labels == label].mean(0)
    return {"prompts": list(prompts), "counts": counts.double(), "colours": means}


def fitted_bytes(prompts: Sequence[str]) -> int:
    """The bytes that ``fit_baselines`` returns."""
    return sum(len(prompt) + 5 * 4 for prompt in prompts)


def mean_colours(images: Tensor) -> Tensor:
    """The mean of each channel of images ``(B, 3, H, W)``: ``(B, 3)``."""
    return images.mean(dim=(2, 3))


def score_alike(fitted: Mapping[str, Any], prompts: Sequence[str], images: Tensor) -> Tensor:
    """Equal scores ``(B, P)``."""
    return torch.zeros(len(images), len(prompts), device=images.device)


def score_by_count(fitted: Mapping[str, Any], prompts: Sequence[str], images: Tensor) -> Tensor:
    """Scores ``(B, P)`` of ``prompts``, the same for every image: how many training images have each."""
    known = dict(zip(fitted["prompts"], fitted["counts"].tolist(), strict=True))
    counts = torch.tensor([known.get(prompt, 0.0) for prompt in prompts], device=images.device)
    return counts.expand(len(images), -1)


def score_by_colour(fitted: Mapping[str, Any], prompts: Sequence[str], images: Tensor) -> Tensor:
    """Scores ``(B, P)`` of ``prompts``: how near the image's mean colour is to that of each one's training images.

    A prompt that no training image has comes last.
    """
    known = {prompt: k for k, prompt in enumerate(fitted["prompts"]) if fitted["counts"][k] > 0}
    scores = torch.full((len(images), len(prompts)), -torch.inf, device=images.device)
    places = [k for k, prompt in enumerate(prompts) if prompt in known]
    colours = fitted["colours"][[known[prompts[k]] for k in places]].to(images)
    scores[:, places] = -torch.cdist(mean_colours(images), colours)
    return scores
