"""Text encoders from their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from rsforge.data.prompts import PromptTemplate
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild

CLIP_ROLE = "CLIP checkpoint"
TEXT, IMAGE, HEAD = "text_encoder", "image_encoder", "head"
"""The networks of a checkpoint."""
REQUIRED = (
    "architecture", "image_size", "vocabulary", "max_length", "prompt_template", "radiometry", "sar_channels",
)  # fmt: skip


def load_text_encoder(path: Path, device: torch.device) -> tuple[TextEncoder, LoadedModel, WordTokenizer]:
    """The text encoder of a checkpoint, with averaged weights where it has them, and the tokenizer it was trained with.

    The template of its prompts is ``stored_template(loaded.state)``.
    """
    restored = rebuild(load_state(path), TEXT, path, averaged=True, required=REQUIRED)
    return cast(TextEncoder, restored.network.to(device)), restored, stored_tokenizer(restored.state, path)


def load_towers(path: Path, device: torch.device) -> tuple[ImageEncoder, ContrastiveHead]:
    """The image encoder and the head of a checkpoint."""
    state = load_state(path)
    parts = [rebuild(state, name, path, averaged=True, required=REQUIRED).network.to(device) for name in (IMAGE, HEAD)]
    return cast(ImageEncoder, parts[0]), cast(ContrastiveHead, parts[1])


def load_state(path: Path) -> dict[str, Any]:
    """What a checkpoint of a text encoder says; RSF-C004 for one of another kind."""
    return checkpoint.load(path, kind="clip", role=CLIP_ROLE)


def stored_template(state: Mapping[str, Any]) -> PromptTemplate:
    """The template of the prompts that the text encoder was trained on."""
    return PromptTemplate(state["prompt_template"])


def stored_tokenizer(state: Mapping[str, Any], path: Path) -> WordTokenizer:
    """The tokenizer of the checkpoint; RSF-C003 where its vocabulary is none, or not that of its text encoder."""
    vocabulary: Mapping[str, int] = state["vocabulary"]
    options = state["architecture"].get(TEXT, {})
    try:
        if (len(vocabulary), state["max_length"]) != (options.get("vocab_size"), options.get("max_length")):
            raise ValueError(f"{len(vocabulary)} words, the text encoder has {options.get('vocab_size')}")
        return WordTokenizer.from_vocabulary(vocabulary, state["max_length"])
    except ValueError as error:
        what = "the vocabulary of this checkpoint cannot be used"
        raise RsforgeError("RSF-C003", what, where=str(path), found=str(error)) from None
