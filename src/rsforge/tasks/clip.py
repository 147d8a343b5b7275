"""What a text encoder learns: to tell the prompts of images apart by the images."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.contrastive import contrastive_loss, contrastive_loss_of_set
from rsforge.metrics.retrieval import chance_level, expected_hits
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder, pool_last

Batch = Mapping[str, Any]
RECALLS = (1, 5)
"""Among how many first results a prompt is looked for."""
CHUNK = 4096


class ClipTask:
    """A prompt and its image are brought together, and kept from those of other prompts.

    A batch holds ``images`` ``(B, 3, H, W)`` in [-1, 1] and ``prompt`` ``(B,)``, the number of each one's prompt in
    ``tokens`` ``(P, N)``, whose padding is 0. Negatives are those of all processes, not of the batches that are
    accumulated. Radford et al. 2021.
    """

    def __init__(
        self, text_encoder: TextEncoder, image_encoder: ImageEncoder, head: ContrastiveHead, tokens: Tensor
    ) -> None:
        self.text_encoder, self.image_encoder, self.head, self.tokens = text_encoder, image_encoder, head, tokens

    def modules(self) -> Mapping[str, nn.Module]:
        return {"text_encoder": self.text_encoder, "image_encoder": self.image_encoder, "head": self.head}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"clip": [p for module in self.modules().values() for p in module.parameters()]}

    def embed_prompts(self, numbers: Tensor) -> Tensor:
        """Unit vectors of the prompts of these ``numbers`` ``(B,)``; equal ones are encoded once."""
        distinct, inverse = numbers.unique(return_inverse=True)
        tokens = self.tokens.to(numbers.device)[distinct]
        pooled = pool_last(self.text_encoder(tokens), tokens != 0)
        return self.head.embed_texts(pooled)[inverse]

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors of images."""
        return self.head.embed_images(self.image_encoder(images))

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        images, texts = self.embed_images(batch["images"]), self.embed_prompts(batch["prompt"])
        world, labels, scale = context.world, batch["prompt"], self.head.scale
        counts = world.gather(labels.new_tensor([len(labels)]))
        loss = contrastive_loss(
            images, texts, labels, world.gather(images), world.gather(texts), world.gather(labels),
            first=int(counts[: world.rank].sum()), scale=scale,
        )  # fmt: skip
        yield Turn("clip", loss, {"temperature": 1 / scale})

    def validation(self) -> PromptRetrieval:
        return PromptRetrieval(self)


class PromptRetrieval:
    """Figures of a whole set of images: ``loss``, and for each k of ``RECALLS`` ``recall_k`` and its ``chance_k``.

    The recall is the share of images whose own prompt is among the first k of the distinct prompts of the set.
    """

    def __init__(self, task: ClipTask) -> None:
        self.task = task
        self.images: list[Tensor] = []
        self.labels: list[Tensor] = []

    def update(self, batch: Batch, count: int) -> None:
        self.images.append(self.task.embed_images(batch["images"]))
        self.labels.append(batch["prompt"])

    def compute(self, world: SingleProcess) -> dict[str, float]:
        weight = self.task.head.visual_projection.weight
        images = world.gather(torch.cat([weight.new_zeros(0, len(weight)), *self.images]))
        labels = world.gather(torch.cat([self.task.tokens.new_zeros(0).to(weight.device), *self.labels]))
        distinct, own = labels.unique(return_inverse=True)
        texts = self.task.embed_prompts(distinct)
        loss = contrastive_loss_of_set(images, texts, own, scale=self.task.head.scale)
        return {"loss": float(loss)} | _measure_recall(images, texts, own)


def _measure_recall(images: Tensor, texts: Tensor, own: Tensor) -> dict[str, float]:
    """Recall and the level of chance over all images; equal scores count by chance."""
    figures: dict[str, float] = {}
    places = torch.arange(len(texts), device=own.device)
    for k in RECALLS:
        hits = [
            expected_hits(part @ texts.T, label[:, None] == places, k)
            for part, label in zip(images.split(CHUNK), own.split(CHUNK), strict=True)
        ]
        figures[f"recall_{k}"] = float(torch.cat(hits).mean())
        figures[f"chance_{k}"] = float(chance_level(places[None] == 0, k))
    return figures
