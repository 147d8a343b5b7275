"""The zero-shot overall accuracy: of a classifier that has learnt from drawn images, on real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.recipes.console import Console
from rsforge.recipes.evaluation.draw_spread import row_of
from rsforge.recipes.evaluation.evaluation import Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.summary import Bootstrap, to_number
from rsforge.recipes.text_evaluation.scene_classifier import ClassifierPlan, classify, shrink, train_classifier
from rsforge.wording import agree, count_noun

NAME, CLASS = "zero_shot_oa", "class"
"""The figure, and the number of the class of images in batches; predictions of other classes have them too."""
_TRUE = "true images"


class ClassAccuracy:
    """For each predictor the share of true images whose class a classifier finds that saw its images alone.

    True images are those of the batch under ``target``; ``groups`` say what the bootstrap draws for each. The
    predictor ``reference`` gives real images, from which a classifier must be able to learn.
    """

    figures = (Figure(NAME, "share of images", True, None),)

    def __init__(
        self,
        plan: ClassifierPlan,
        target: str,
        groups: Sequence[Hashable],
        bootstrap: Bootstrap,
        console: Console,
        *,
        reference: str = "",
    ) -> None:
        self.reference = reference
        self.plan, self.target, self.groups, self.bootstrap, self.console = plan, target, groups, bootstrap, console
        self.images: dict[str, list[Tensor]] = {}
        self.labels: dict[str, list[Tensor]] = {}
        self.device = torch.device("cpu")

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Keep all images and their classes."""
        self.device = batch[self.target].device
        self._keep(_TRUE, batch[self.target], batch[CLASS])
        for name, prediction in predictions.items():
            self._keep(name, prediction[IMAGE], prediction.get(CLASS, batch[CLASS]))

    def _keep(self, name: str, images: Tensor, labels: Tensor) -> None:
        self.images.setdefault(name, []).append(shrink(images))
        self.labels.setdefault(name, []).append(labels.cpu())

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """The figure of every predictor with its interval, and that of the most frequent class."""
        true, labels = torch.cat(self.images.pop(_TRUE)), torch.cat(self.labels.pop(_TRUE))
        with self.console.progress("classifier", len(self.images)) as meter:
            for name in list(self.images):
                network = train_classifier(
                    torch.cat(self.images.pop(name)), torch.cat(self.labels.pop(name)), self.plan, self.device
                )
                hits = (classify(network, true, self.device) == labels).double().numpy()
                result["figures"][name][NAME] = row_of(self.bootstrap, hits, self.groups)
                meter.step()
        chance = max(Counter(labels.tolist()).values()) / len(labels)
        result["most_frequent_class"] = to_number(chance)
        return self._doubt(result, chance)

    def _doubt(self, result: dict[str, Any], chance: float) -> list[str]:
        """A warning where even other real images did not teach the classifier."""
        row = result["figures"].get(self.reference, {}).get(NAME)
        if row is None or (row["low"] is not None and row["low"] > chance):
            return []
        return [
            f"a classifier that saw {self.reference} names {row['mean']:.3g} of the true images, not surely more than "
            f"the {chance:.3g} of the most frequent class: the zero-shot accuracies tell little; measure more images, "
            "or name --resnet-weights"
        ]


class AbsentAccuracy:
    """In its place where it is not measured: the figure is null."""

    figures = ClassAccuracy.figures

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Nothing is kept."""

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """The figure of every predictor, null."""
        for figures in result["figures"].values():
            figures[NAME] = None
        return []


def number_classes(measured: Sequence[str], others: Sequence[str]) -> tuple[list[str], Tensor, Tensor]:
    """The classes of the measured images, in order, and the numbers of both; -1 for others that have none of them."""
    names = sorted(set(measured))
    number = {name: k for k, name in enumerate(names)}
    own, rest = ([number.get(name, -1) for name in classes] for classes in (measured, others))
    return names, torch.tensor(own), torch.tensor(rest)


def why_no_classes(classes: Sequence[str], epochs: int) -> str:
    """Why no classifier can be measured on images of these classes; empty where it can."""
    if not epochs:
        return "--classifier-epochs is 0"
    if "" in classes:
        unnamed = sum(not name for name in classes)
        has = agree(unnamed, "has", "have")
        return f"{count_noun(unnamed, 'image')} {has} no class: name a column with --class-column"
    if len(set(classes)) < 2:
        return "all images are of one class by their names: name a column with --class-column"
    if len(set(classes)) * 2 > len(classes):
        return f"{len(classes)} images are of {len(set(classes))} classes: two of each are the least in the mean"
    return ""
