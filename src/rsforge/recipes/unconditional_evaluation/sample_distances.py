"""How far samples are from the measured images, and from what the autoencoder makes of these, beside decoded noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from rsforge.metrics.mean_discrepancy import LEAST_ROWS, MeanDiscrepancy, compare_discrepancies, mean_discrepancy
from rsforge.models.vgg import VggFeatures
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.set_distances import TRUE, SetDistances
from rsforge.recipes.evaluation.summary import to_number
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.unconditional_evaluation.denoising import IMAGES, LATENTS, WHOLE
from rsforge.recipes.verdict import KEY, compare_with_best
from rsforge.wording import count_noun

TO_IMAGES, TO_RECONSTRUCTIONS = "kernel_distance", "kernel_distance_to_reconstructions"
SHOWN = 8
Features = Callable[[Tensor], Tensor]


def mean_features(network: VggFeatures, device: torch.device) -> Features:
    """The means over places of relu3_3 ``(B, 256)`` of images ``(B, 3, S, S)``, on the CPU."""
    return lambda images: network(images.to(device)).mean((2, 3)).cpu()


class SampleDistances:
    """The figures of the sets ``made``, by predictor: of samples of the model, and of decoded noise.

    Kernel distances are to the measured images whose pixels all hold data, and to their reconstructions; without
    ``features`` they are null, and so are FID and KID of ``distances`` without their network. The verdicts say whether
    the model is nearer than the nearest decoded noise.
    """

    def __init__(
        self,
        made: Mapping[str, Tensor],
        pipeline: LatentPipeline,
        features: Features | None,
        distances: SetDistances,
        *,
        confidence: float,
        batch_size: int,
    ) -> None:
        self.made, self.pipeline, self.features, self.distances = made, pipeline, features, distances
        self.confidence, self.batch_size = confidence, batch_size
        self.rows: dict[str, list[Tensor]] = {TO_IMAGES: [], TO_RECONSTRUCTIONS: []}
        self.shown: dict[str, list[Tensor]] = {TO_IMAGES: [], TO_RECONSTRUCTIONS: []}
        self.count = 0

    @property
    def figures(self) -> list[Figure]:
        """Those that are there or may be."""
        kernel = [Figure(name, "", False, None) for name in (TO_IMAGES, TO_RECONSTRUCTIONS)]
        return [*kernel, *self.distances.figures]

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Take in the features of a batch, and of its reconstructions."""
        whole = batch[WHOLE]
        images, mu = batch[IMAGES][whole], batch[LATENTS][whole][:, 0]
        if not len(images):
            return
        self.count += len(images)
        self.distances.take(TRUE, images)
        seen = {TO_IMAGES: images, TO_RECONSTRUCTIONS: self.pipeline.autoencoder.decode(mu).float().clamp(-1, 1)}
        for name, some in seen.items():
            if len(self.shown[name]) < SHOWN:
                self.shown[name] += some[: SHOWN - len(self.shown[name])].cpu()
            if self.features is not None:
                self.rows[name].append(self.features(some))

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """Kernel distances with intervals and gains, FID and KID, and a sentence on what the autoencoder loses."""
        for figures in result["figures"].values():
            figures |= dict.fromkeys((TO_IMAGES, TO_RECONSTRUCTIONS))
        few = min(self.count, len(self.made[MODEL])) < LEAST_ROWS
        if few:
            what = f"{count_noun(LEAST_ROWS, 'image')} without gaps, and as many samples, are the least"
            result["absent"] = {**result["absent"], TO_IMAGES: what, "fid and kid": what}
            self.distances.sets = {}
        elif self.features is not None:
            self._add_kernel_distances(result, self.features)
        if not few:
            for name, images in self.made.items():
                for some in images.split(self.batch_size):
                    self.distances.take(name, some)
        return self.distances.add_to(result, values)

    def _add_kernel_distances(self, result: dict[str, Any], features: Features) -> None:
        made = {
            name: torch.cat([features(some) for some in images.split(self.batch_size)])
            for name, images in self.made.items()
        }
        targets = {name: torch.cat(rows) for name, rows in self.rows.items()}
        for figure, target in targets.items():
            found = {name: mean_discrepancy(rows, target) for name, rows in made.items()}
            for name, one in found.items():
                result["figures"][name][figure] = self._interval(one.value, one.error)
            nearest = min((name for name in found if name != MODEL), key=lambda name: found[name].value)
            farther = self._interval(*compare_discrepancies(found[MODEL], found[nearest]))
            result["gain"][figure] = {"over": nearest, **farther}
            result[KEY] = [*result.get(KEY, ()), *compare_with_best(result["figures"], result["gain"], figure)]
        lost = mean_discrepancy(targets[TO_RECONSTRUCTIONS], targets[TO_IMAGES], paired=True)
        result[FINDINGS] = [*result.get(FINDINGS, ()), describe_loss(lost)]

    def _interval(self, value: float, error: float) -> dict[str, float | None]:
        """Of a normal distribution about ``value``."""
        half = NormalDist().inv_cdf((1 + self.confidence) / 2) * error
        return {"mean": to_number(value), "low": to_number(value - half), "high": to_number(value + half)}

    def save_picture(self, path: Path) -> None:
        """Write rows of samples, decoded noise, measured images and their reconstructions."""
        rows = {"drawn" if name == MODEL else name.replace("_", " "): images for name, images in self.made.items()}
        names = {TO_IMAGES: "images", TO_RECONSTRUCTIONS: "reconstructions"}
        rows |= {name: torch.stack(self.shown[key]) for key, name in names.items() if self.shown[key]}
        across = min(len(images) for images in rows.values())
        across = min(across, SHOWN)
        grid = torch.cat([images[:across] for images in rows.values()])
        save_labelled_grid(path, grid, nrow=across, rows=list(rows))


def describe_loss(lost: MeanDiscrepancy) -> str:
    """How far reconstructions are from their images: nearer no sample can be expected to be."""
    return (
        f"Reconstructions of the measured images are at a kernel distance of {lost.value:.3g} ± {lost.error:.2g} from "
        "them, which the autoencoder costs every sample"
    )
