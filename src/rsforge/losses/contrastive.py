"""What holds images and their prompts together, and other prompts apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 4096


def contrastive_loss(
    images: Tensor,
    texts: Tensor,
    labels: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    all_labels: Tensor,
    *,
    first: int,
    scale: Tensor | float,
) -> Tensor:
    """Symmetric InfoNCE of pairs, the mean over ``B`` own pairs, where equal prompts are no negatives of each other.

    ``images`` and ``texts`` are unit vectors ``(B, D)``, ``labels`` ``(B,)`` number the prompts. The ``all_`` are those
    of all processes, ``first`` is the place of the first own pair among them. A pair's candidates are its own partner
    and those of other prompts; without any the loss is 0. Radford et al. 2021, Fig. 3; van den Oord et al. 2018, Eq. 4.
    """
    own = torch.arange(len(images), device=images.device) + first
    alike = labels[:, None] == all_labels[None]
    alike[torch.arange(len(images), device=images.device), own] = False
    # In half precision logits of a scale of 100 would be rounded to a twentieth.
    with torch.autocast(images.device.type, enabled=False):
        to_texts = (scale * images @ all_texts.T).masked_fill(alike, -torch.inf)
        to_images = (scale * texts @ all_images.T).masked_fill(alike, -torch.inf)
    return (F.cross_entropy(to_texts, own) + F.cross_entropy(to_images, own)) / 2


def contrastive_loss_of_set(images: Tensor, texts: Tensor, labels: Tensor, *, scale: Tensor | float) -> Tensor:
    """The same over a whole set ``images`` ``(N, D)`` with each distinct prompt once: ``texts`` ``(P, D)``.

    ``labels`` ``(N,)`` say which of the texts is an image's own. An image's candidates are all texts; a text's are each
    of its images and all images of others. It depends on neither the order nor the size of batches; ``N × P`` numbers
    are computed in parts.
    """
    own, of_images = [], []
    others = torch.full((len(texts),), -torch.inf, dtype=torch.float64, device=images.device)
    for part, label in zip(images.split(CHUNK), labels.split(CHUNK), strict=True):
        logits = (scale * part @ texts.T).double()
        own.append(logits.gather(1, label[:, None])[:, 0])
        of_images.append(F.cross_entropy(logits, label, reduction="none"))
        logits = logits.scatter(1, label[:, None], -torch.inf)
        others = torch.logaddexp(others, logits.logsumexp(0))
    score = torch.cat(own)
    of_texts = torch.logaddexp(score, others[labels]) - score
    return (torch.cat(of_images).mean() + of_texts.mean()) / 2
