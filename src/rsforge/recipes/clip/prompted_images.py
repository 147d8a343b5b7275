"""Optical images with the numbers of their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rsforge.data.prompts import PromptTemplate
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.engine.loader import IndexedDataset
from rsforge.recipes.datasets.pair_split import PairSets

OPTICAL = 1


class PromptedImages:
    """The optical images of pairs, ``images`` ``(3, S, S)``, and the number of each one's prompt, ``prompt``."""

    def __init__(self, pairs: IndexedDataset, prompts: Sequence[int]) -> None:
        self.pairs, self.prompts = pairs, list(prompts)

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        return self.pairs.name(index)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return {"images": self.pairs[key][OPTICAL], "prompt": torch.tensor(self.prompts[key[1]])}


@dataclass(frozen=True)
class PromptedSets:
    """Training and held-out images, all distinct ``prompts`` and their ``tokens``, and what a run is known by."""

    train: PromptedImages
    plain: PromptedImages
    held_out: PromptedImages
    prompts: list[str]
    tokens: Tensor
    template: PromptTemplate
    tokenizer: WordTokenizer
    identity: dict[str, Any]
    pairs: PairSets


def number_prompts(prompts: Sequence[str]) -> tuple[list[str], list[int]]:
    """The distinct prompts in the order of their first appearance, and the number of each one among them."""
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    return list(numbers), [numbers[prompt] for prompt in prompts]
