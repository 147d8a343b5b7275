"""Captions as a training reads them: token ids, or the vectors of a frozen text tower, stored on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.encode_latents import load_or_make
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.training.job import Compute
from rsforge.wording import count_noun

AT_ONCE = 64
_LAYOUT = "texts 1"  # raise it when the order or meaning of the rows changes


def number_tokens(model: PretrainedModel, texts: Sequence[str]) -> npt.NDArray[Any]:
    """Token ids ``(D, N)`` of the texts."""
    rows: npt.NDArray[Any] = model.tokenizer.encode(texts).numpy()
    return rows


def load_or_encode(
    model: PretrainedModel, texts: Sequence[str], folder: Path, compute: Compute, console: Console
) -> npt.NDArray[Any]:
    """The vectors ``(D, N, width)`` of the texts, mapped from a file whose name tells texts and text tower."""
    tokens = model.tokenizer.encode(texts)
    tower = checkpoint.digest_weights(model.text_encoder.state_dict())
    key = hashlib.sha256(repr((_LAYOUT, tower, checkpoint.digest_tensor(tokens))).encode()).hexdigest()[:16]
    shape = (*tokens.shape, model.text_encoder.width)
    encode = partial(_encode, model, tokens, compute.device, console)
    return load_or_make(folder / f"{key}.npy", shape, encode, compute.world, console, what="captions")


def _encode(model: PretrainedModel, tokens: Tensor, device: torch.device, console: Console) -> Iterator[Tensor]:
    with console.progress("encoding captions", len(tokens)) as meter:
        for indices in index_ranges(len(tokens), AT_ONCE):
            yield model.reader.read(tokens[indices.start : indices.stop])
            meter.step(len(indices))


def warn_of_long(model: PretrainedModel, texts: Sequence[str], console: Console) -> None:
    """A warning of captions whose last words are not read."""
    most = model.tokenizer.max_length
    long = sum(count > most for count in model.tokenizer.count_tokens(texts))
    if long:
        captions = count_noun(len(texts), "caption")
        console.warn(f"{long} of {captions} have more than {most} tokens: their ends are not read")
