"""What a text-to-image model is compared with: other real images, and its own of other captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.text_evaluation.captioned_subset import Captioned
from rsforge.recipes.text_evaluation.class_accuracy import CLASS
from rsforge.recipes.text_evaluation.clip_score import TOKENS
from rsforge.recipes.text_evaluation.drawn_images import DrawnImages
from rsforge.seeds import derive
from rsforge.wording import count_noun

INDEX = "index"
OTHER_REAL, OTHER_CAPTIONS = "other_real", "other_captions"


@dataclass(frozen=True)
class OtherImages:
    """Real images that are not measured, with the numbers of their classes and the token ids of their captions."""

    images: Captioned
    classes: Tensor
    tokens: Tensor | None

    def choose(self, count: int, seed: int, *, classified: bool) -> list[int] | None:
        """``count`` of them by the seed, with ``classified`` of measured classes; None where they are fewer."""
        known = self._list_known(classified=classified)
        if len(known) < count:
            return None
        generator = torch.Generator().manual_seed(derive(seed, OTHER_REAL))
        return [known[k] for k in torch.randperm(len(known), generator=generator)[:count].tolist()]

    def explain_few(self, count: int, *, classified: bool) -> str:
        """Why ``choose`` finds none."""
        known = len(self._list_known(classified=classified))
        of_classes = " of their classes" if classified else ""
        what = f"{count_noun(known, 'other real image')}{of_classes}, fewer than the {count} that are measured"
        return f"{what}: measure fewer with --max-images"

    def _list_known(self, *, classified: bool) -> list[int]:
        return [k for k in range(len(self.images)) if not classified or self.classes[k] >= 0]

    def baseline(self, chosen: Sequence[int], device: torch.device) -> Baseline:
        """The predictor of the chosen images with their own captions and classes."""

        def predict(batch: Batch) -> Prediction:
            own = [chosen[index] for index in batch[INDEX]]
            found = {IMAGE: torch.stack([self.images.samples[0, k] for k in own]), CLASS: self.classes[own]}
            if self.tokens is not None:
                found[TOKENS] = self.tokens[own]
            return {name: value.to(device) for name, value in found.items()}

        meaning = "other real images with captions and classes of their own, which a model could reach"
        return Baseline(OTHER_REAL, meaning, predict, reference=True)


def pair_others(count: int, seed: int) -> list[int]:
    """For each of ``count`` numbers another one, each once."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(derive(seed, OTHER_CAPTIONS))).tolist()
    partner = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    return [partner[k] for k in range(count)]


def caption_baseline(drawn: DrawnImages, count: int, seed: int, device: torch.device) -> Baseline:
    """The predictor that gives what the model draws for another caption."""
    partners = pair_others(count, seed)
    return Baseline(
        OTHER_CAPTIONS,
        "what the model draws for the caption of another image: a model that reads no captions is no better",
        lambda batch: {IMAGE: drawn.read([partners[index] for index in batch[INDEX]]).to(device)},
    )
