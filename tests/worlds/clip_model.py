"""The folder of a CLIP model of a few thousand random weights, made by the library that publishes them."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch

from tests.worlds.clip_tokens import vocabulary, write_tables
from tests.worlds.stable_diffusion import quietly

SIDE = 16


@quietly
def make_clip(**vision):
    """The library's model, moved off its first values so that no shortcut can imitate it."""
    import transformers

    words = vocabulary()
    ids = {"bos_token_id": words["<|startoftext|>"], "eos_token_id": words["<|endoftext|>"]}
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**sizes, **ids, "vocab_size": len(words), "max_position_embeddings": 20}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**sizes, "image_size": SIDE, "patch_size": 8, **vision}, projection_dim=12
    )
    torch.manual_seed(5)
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model


@lru_cache
def source_folder() -> Path:
    """The folder that the library saves, made once a process."""
    folder = Path(mkdtemp(prefix="clip-"))
    quietly(make_clip().save_pretrained)(folder)
    write_tables(folder, config={"model_max_length": 20, "tokenizer_class": "CLIPTokenizer"})
    return folder


def write_clip(folder: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(source_folder(), folder))
