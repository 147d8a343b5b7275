"""Captions of images as bags of words: which words tell anything, and which captions have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_WORDS = 1024


@dataclass(frozen=True)
class Captions:
    """The captions of n images as token ids ``(m, N)``; ``image`` ``(m,)`` is the number of that of each, rising."""

    tokens: Tensor
    image: Tensor

    def select(self, images: Tensor) -> Captions:
        """Those of some images, which ``images`` ``(n,)`` says, numbered anew."""
        number, kept = images.long().cumsum(0) - 1, images[self.image]
        return Captions(self.tokens[kept], number[self.image[kept]])

    @property
    def shares(self) -> Tensor:
        """What each caption counts ``(m,)``: those of one image count 1 together."""
        return self.image.bincount()[self.image].float().reciprocal()

    @property
    def first(self) -> Tensor:
        """The first caption of each image ``(n, N)``."""
        return self.tokens[self.image.diff(prepend=self.image.new_tensor([-1])) != 0]


def gather_captions(tokens: Sequence[Tensor]) -> Captions:
    """The captions of images, given as token ids ``(captions of an image, N)``."""
    image = torch.cat([torch.full((len(own),), number) for number, own in enumerate(tokens)])
    return Captions(torch.cat(list(tokens)), image)


def choose_words(captions: Captions, most: int = MOST_WORDS) -> Tensor:
    """The ids ``(k,)``, rising, of the tokens that the most captions have.

    A token of one caption tells nothing of others, nor does one that every caption has, as start and end.
    """
    rows = captions.tokens.sort(1).values
    first_of_row = torch.ones_like(rows, dtype=torch.bool)
    first_of_row[:, 1:] = rows.diff(dim=1) != 0
    ids, counts = rows[first_of_row].unique(return_counts=True)
    telling = (counts > 1) & (counts < len(rows))
    ids, counts = ids[telling], counts[telling]
    words: Tensor = ids[counts.argsort(descending=True, stable=True)[:most]].sort().values
    return words


def mark_words(tokens: Tensor, words: Tensor) -> Tensor:
    """1 where captions ``(B, N)`` have one of ``words`` ``(k,)``, which rise, and 0 elsewhere, ``(B, k)``."""
    bags = torch.zeros(len(tokens), len(words), device=tokens.device)
    if len(words):
        place = torch.searchsorted(words, tokens).clamp(max=len(words) - 1)
        bags.scatter_add_(1, place, (words[place] == tokens).float())
    return bags.clamp_(max=1)
