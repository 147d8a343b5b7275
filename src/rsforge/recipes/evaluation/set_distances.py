"""How far the sets of predicted images are from the true one: FID and KID."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rsforge.data.io.image_writer import to_uint8
from rsforge.losses.gaps import find_gaps
from rsforge.metrics.inception import RANK, FeatureSet, frechet_distance, kernel_distance
from rsforge.recipes.evaluation.evaluation import Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.summary import to_number
from rsforge.seeds import derive

KID_KEEPS, KID_FEW = 10_000, 100
TRUE = "true images"


class SetDistances:
    """FID and KID of every predictor's images from those of the batch under ``target``.

    ``features`` takes uint8 images to rows, or is None where its weights are not there: the figures are then null.
    ``count`` is how many images will come.
    """

    figures = (Figure("fid", "", False, None), Figure("kid", "", False, None))

    def __init__(
        self, features: Callable[[Tensor], Tensor] | None, target: str, *, count: int, seed: int, device: torch.device
    ) -> None:
        self.features, self.target, self.count, self.seed, self.device = features, target, count, seed, device
        self.sets: dict[str, FeatureSet] = {}

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Take in the features of the images."""
        true, gaps = batch[self.target], find_gaps(batch)
        for name, image in {TRUE: true, **{name: one[IMAGE] for name, one in predictions.items()}}.items():
            self.take(name, gaps.fill(image, true))

    def take(self, name: str, images: Tensor) -> None:
        """Take in the features of images ``(B, 3, H, W)`` in [-1, 1] of a predictor, or of ``TRUE`` ones."""
        if self.features is None:
            return
        pixels = torch.from_numpy(to_uint8(images)).permute(0, 3, 1, 2).to(self.device)
        self.sets.setdefault(name, FeatureSet(-(-self.count // KID_KEEPS))).update(self.features(pixels))

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """FID, and mean and deviation of KID, with warnings where images are few."""
        if self.sets and self.count < 2:
            result["absent"] = {**result["absent"], "fid and kid": "two images are the least"}
            self.sets = {}
        for name, figures in result["figures"].items():
            figures |= {"fid": None, "kid": None}
            if self.sets:
                figures |= self._distances(name)
        if not self.sets:
            return []
        result |= _warnings(self.count)
        return [warning for warning in (result["fid_warning"], result["kid_warning"]) if warning]

    def _distances(self, name: str) -> dict[str, Any]:
        true, made = self.sets[TRUE], self.sets[name]
        mean, std = kernel_distance(true, made, seed=derive(self.seed, "kid"))
        kid = {"mean": to_number(mean), "std": to_number(std)}
        return {"fid": to_number(frechet_distance(true, made)), "kid": kid}


def _warnings(count: int) -> dict[str, str | None]:
    fid = (
        f"FID of {count} images is biased upwards: the covariance of up to {RANK} is singular; compare it only with "
        "FIDs of as many images"
    )
    kid = f"KID of {count} images is uncertain: differences of its order mean nothing"
    return {"fid_warning": fid if count <= RANK else None, "kid_warning": kid if count < KID_FEW else None}
