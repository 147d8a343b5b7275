"""How far samples are from the measured images, and from what the autoencoder makes of these, beside decoded noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from rsforge.metrics.mean_discrepancy import LEAST_ROWS, compare_discrepancies, mean_discrepancy
from rsforge.models.vgg import VggFeatures
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.set_distances import TRUE, SetDistances
from rsforge.recipes.evaluation.summary import to_number
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.unconditional_evaluation.denoising import IMAGES, INDEX, LATENTS, WHOLE
from rsforge.recipes.verdict import KEY, compare_with_best
from rsforge.wording import count_noun

TO_IMAGES, TO_RECONSTRUCTIONS = "kernel_distance", "kernel_distance_to_reconstructions"
SHOWN = 8
Features = Callable[[Tensor], Tensor]


def mean_features(network: VggFeatures, device: torch.device) -> Features:
    """The means over places of relu3_3 ``(B, 256)`` of images ``(B, 3, S, S)``, on the CPU."""
    return lambda images: network(images.to(device)).mean((2, 3)).cpu()


class SampleDistances:
    """The figures of sets of images by predictor: of samples of the model, and of decoded noise.

    Kernel distances are to the measured images whose pixels all hold data, and to their reconstructions; without
    ``features`` they are null, and so are FID and KID of ``distances`` without their network. The verdicts say whether
    the model is nearer than the nearest decoded noise. Of images features alone are kept, and some to be shown.
    ``groups`` are those of the measured images by their number, which intervals leave out whole.
    """

    def __init__(
        self,
        pipeline: LatentPipeline,
        features: Features | None,
        distances: SetDistances,
        *,
        confidence: float,
        groups: Sequence[Hashable],
    ) -> None:
        self.pipeline, self.features, self.distances = pipeline, features, distances
        self.confidence, self.groups = confidence, groups
        self.measured: list[Hashable] = []
        self.rows: dict[str, list[Tensor]] = {}
        self.shown: dict[str, list[Tensor]] = {}
        self.counts: Counter[str] = Counter()

    def take(self, name: str, images: Tensor) -> None:
        """Take in images ``(B, 3, S, S)`` of a predictor."""
        self.distances.take(name, images)
        self._see(name, images)

    def _see(self, name: str, images: Tensor) -> None:
        self.counts[name] += len(images)
        shown = self.shown.setdefault(name, [])
        shown += images[: SHOWN - len(shown)].cpu()
        if self.features is not None:
            self.rows.setdefault(name, []).append(self.features(images))

    @property
    def figures(self) -> list[Figure]:
        """Those that are there or may be."""
        kernel = [Figure(name, "", False, None) for name in (TO_IMAGES, TO_RECONSTRUCTIONS)]
        return [*kernel, *self.distances.figures]

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Take in the images of a batch without gaps, and their reconstructions."""
        whole = batch[WHOLE]
        images, mu = batch[IMAGES][whole], batch[LATENTS][whole][:, 0]
        if not len(images):
            return
        kept = zip(batch[INDEX], whole.tolist(), strict=True)
        self.measured += [self.groups[index] for index, counted in kept if counted]
        self.distances.take(TRUE, images)
        self._see(TO_IMAGES, images)
        self._see(TO_RECONSTRUCTIONS, self.pipeline.autoencoder.decode(mu).float().clamp(-1, 1))

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """Kernel distances with intervals and gains, FID and KID, and a sentence on what the autoencoder loses."""
        for figures in result["figures"].values():
            figures |= dict.fromkeys((TO_IMAGES, TO_RECONSTRUCTIONS))
        self.distances.count = min(self.counts[TO_IMAGES], self.counts[MODEL])
        if self.distances.count < LEAST_ROWS:
            what = f"{count_noun(LEAST_ROWS, 'image')} without gaps are the least"
            result["absent"] = {TO_IMAGES: what, "fid and kid": what, **result["absent"]}
            self.distances.sets = {}
            return [*self.distances.add_to(result, values), f"{what} for distances: losses alone judge the model"]
        if self.features is not None:
            self._add_kernel_distances(result)
        return self.distances.add_to(result, values)

    def _add_kernel_distances(self, result: dict[str, Any]) -> None:
        rows = {name: torch.cat(parts) for name, parts in self.rows.items()}
        targets = {name: rows.pop(name) for name in (TO_IMAGES, TO_RECONSTRUCTIONS)}
        for figure, target in targets.items():
            found = {name: mean_discrepancy(own, target, groups=self.measured) for name, own in rows.items()}
            for name, one in found.items():
                result["figures"][name][figure] = self._interval(one.value, one.error)
            nearest = min((name for name in found if name != MODEL), key=lambda name: found[name].value)
            farther = self._interval(*compare_discrepancies(found[MODEL], found[nearest]))
            result["gain"][figure] = {"over": nearest, **farther}
            result[KEY] = [*result.get(KEY, ()), *compare_with_best(result["figures"], result["gain"], figure)]
        pair = targets[TO_RECONSTRUCTIONS], targets[TO_IMAGES]
        lost = mean_discrepancy(*pair, paired=True, groups=self.measured)
        row = self._interval(lost.value, lost.error)
        if row["mean"] is not None and row["low"] is not None and row["high"] is not None:
            interval = f"{row['mean']:.4g} [{row['low']:.4g}, {row['high']:.4g}]"
            text = f"Reconstructions of the measured images are at a kernel distance of {interval} from them"
            result[FINDINGS] = [*result.get(FINDINGS, ()), text]

    def _interval(self, value: float, error: float) -> dict[str, float | None]:
        """Of a normal distribution about ``value``."""
        half = NormalDist().inv_cdf((1 + self.confidence) / 2) * error
        return {"mean": to_number(value), "low": to_number(value - half), "high": to_number(value + half)}

    def save_picture(self, path: Path) -> None:
        """Write rows of samples, decoded noise, measured images and their reconstructions."""
        names = {MODEL: "drawn", TO_IMAGES: "images", TO_RECONSTRUCTIONS: "reconstructions"}
        rows = {names.get(name, name.replace("_", " ")): torch.stack(own) for name, own in self.shown.items()}
        across = min(len(images) for images in rows.values())
        grid = torch.cat([images[:across] for images in rows.values()])
        save_labelled_grid(path, grid, nrow=across, rows=list(rows))
