"""The text tower as ``transformers`` configures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.models.clip_blocks import ACTIVATIONS
from rsforge.models.pretrained.json_files import Neutral, check_keys, unsupported_error
from rsforge.models.text_encoder import EXPANSION

CLASS = "CLIPTextModel"
KIND = "clip_text_model"
# Their name, ours, and what transformers takes where a configuration lacks it.
OPTIONS: dict[str, tuple[str, Any]] = {
    "vocab_size": ("vocab_size", 49408),
    "hidden_size": ("embedding_dim", 512),
    "max_position_embeddings": ("max_length", 77),
    "num_attention_heads": ("num_heads", 8),
    "num_hidden_layers": ("num_layers", 12),
    "hidden_act": ("hidden_act", "quick_gelu"),
    "intermediate_size": ("intermediate_size", 2048),
}
# Of the many keys that all models of transformers share these alone would change what a text tower gives.
NEUTRAL: Neutral = {
    "model_type": (KIND,),
    "layer_norm_eps": (1e-5,),
    "attention_dropout": (0, 0.0),
    "use_attention_mask": (None, False),
    "hidden_act": tuple(ACTIVATIONS),
    "quantization_config": (None,),
}

# What every configuration said once, whatever the tokenizer was; it counts for nothing.
_FORMER_IDS = {"bos_token_id": 0, "eos_token_id": 2}


def read_text(config: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Our architecture of a configuration; RSF-C004 for another kind of text model or activation.

    Stable Diffusion 2.x reads the penultimate layer of OpenCLIP; its folders hold one layer fewer, so that nothing
    needs to be left out here.
    """
    if "model_type" not in config:
        raise unsupported_error("the text encoder does not say its model_type", where=where)
    check_keys({key: value for key, value in config.items() if key in NEUTRAL}, (), NEUTRAL, where=where)
    return {"name": "text_encoder"} | {ours: config.get(theirs, value) for theirs, (ours, value) in OPTIONS.items()}


def read_ids(config: Mapping[str, Any]) -> dict[str, int]:
    """The ids of the tokens before and behind a text, as far as a configuration says them in earnest."""
    size = config.get("vocab_size", OPTIONS["vocab_size"][1])
    given = {key: config.get(key, former) for key, former in _FORMER_IDS.items()}
    return {key: one for key, one in given.items() if one != _FORMER_IDS[key] and one in range(size)}


def write_text(architecture: Mapping[str, Any], *, start: int, end: int, pad: int) -> dict[str, Any]:
    """The configuration of our architecture; the token ids are those of the tokenizer."""
    width = architecture["embedding_dim"]
    options = {theirs: architecture[ours] for theirs, (ours, _) in OPTIONS.items()}
    options["intermediate_size"] = options["intermediate_size"] or EXPANSION * width
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    fixed = {"layer_norm_eps": 1e-5, "attention_dropout": 0.0, "projection_dim": width}
    return {"architectures": [CLASS], "model_type": KIND, **options, **fixed, **ids}
