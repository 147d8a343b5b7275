"""The sizes of networks in single files, which say nothing of them but the shapes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.ldm_names import AUTOENCODER, CLIP, OPEN_CLIP, UNET
from rsforge.models.pretrained.tensor_files import Shape

HEADS = 8  # of Stable Diffusion 1.x
HEAD_WIDTH = 64  # of Stable Diffusion 2.x, and of both text towers
LAST_READ = 23
"""The layers that Stable Diffusion 2.x reads of OpenCLIP's text tower: all but the last of 24."""
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class UNetSizes:
    """The architecture of a U-Net, and where its weights are."""

    architecture: dict[str, Any]
    layers: int
    up_attends: tuple[bool, ...]


def read_unet_sizes(shapes: Shapes, *, second: bool, where: str) -> UNetSizes:
    """The U-Net of a file; ``second`` for Stable Diffusion 2.x, whose heads are as wide at every stage."""
    try:
        return _read_unet(shapes, second=second)
    except (KeyError, IndexError, ValueError) as error:
        raise _no_network("U-Net", where, error) from error


def _read_unet(shapes: Shapes, *, second: bool) -> UNetSizes:
    stages: list[list[int]] = [[]]
    attends: list[bool] = [False]
    for index in range(1, _count(shapes, UNET + r"input_blocks\.(\d+)\.")):
        block = f"{UNET}input_blocks.{index}"
        if f"{block}.0.op.weight" in shapes:
            stages.append([])
            attends.append(False)
            continue
        stages[-1].append(shapes[f"{block}.0.out_layers.3.weight"][0])
        attends[-1] |= f"{block}.1.proj_in.weight" in shapes
    layers, widths = len(stages[0]), [stage[0] for stage in stages]
    ups = tuple(f"{UNET}output_blocks.{i * (layers + 1)}.1.proj_in.weight" in shapes for i in range(len(stages)))
    attention = f"{UNET}middle_block.1"
    architecture = {
        "name": "unet",
        "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1],
        "out_channels": shapes[f"{UNET}out.2.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": layers,
        "down_block_types": ["CrossAttnDownBlock2D" if has else "DownBlock2D" for has in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if has else "UpBlock2D" for has in ups],
        "attention_head_dim": [max(1, width // HEAD_WIDTH) for width in widths] if second else HEADS,
        "cross_attention_dim": shapes[f"{attention}.transformer_blocks.0.attn2.to_k.weight"][1],
        "use_linear_projection": len(shapes[f"{attention}.proj_in.weight"]) == 2,
        "transformer_layers_per_block": _count(shapes, re.escape(attention) + r"\.transformer_blocks\.(\d+)\."),
    }
    return UNetSizes(architecture, layers, ups)


def read_autoencoder_sizes(shapes: Shapes, *, where: str) -> dict[str, Any]:
    """The architecture of the autoencoder of a file."""
    try:
        levels = _count(shapes, AUTOENCODER + r"encoder\.down\.(\d+)\.")
        down = f"{AUTOENCODER}encoder.down"
        return {
            "name": "autoencoder_kl",
            "in_channels": shapes[f"{AUTOENCODER}encoder.conv_in.weight"][1],
            "out_channels": shapes[f"{AUTOENCODER}decoder.conv_out.weight"][0],
            "block_out_channels": [shapes[f"{down}.{level}.block.0.conv2.weight"][0] for level in range(levels)],
            "layers_per_block": _count(shapes, AUTOENCODER + r"encoder\.down\.0\.block\.(\d+)\."),
            "latent_channels": shapes[f"{AUTOENCODER}post_quant_conv.weight"][0],
        }
    except (KeyError, IndexError) as error:
        raise _no_network("autoencoder", where, error) from error


def read_text_sizes(shapes: Shapes, *, where: str) -> dict[str, Any]:
    """The architecture of the text tower of a file: CLIP's in 1.x, OpenCLIP's in 2.x."""
    second = is_second(shapes)
    inner = OPEN_CLIP if second else f"{CLIP}text_model." if f"{CLIP}text_model.{_TOKENS}" in shapes else CLIP
    tokens, positions, layers, first = _OPEN_CLIP_NAMES if second else _CLIP_NAMES
    try:
        (vocabulary, width), number = shapes[inner + tokens], _count(shapes, re.escape(inner) + layers)
        return {
            "name": "text_encoder",
            "vocab_size": vocabulary,
            "embedding_dim": width,
            "max_length": shapes[inner + positions][0],
            "num_heads": max(1, width // HEAD_WIDTH),
            "num_layers": min(number, LAST_READ) if second else number,
            "hidden_act": "gelu" if second else "quick_gelu",
            "intermediate_size": shapes[inner + first][0],
        }
    except (KeyError, IndexError, ValueError) as error:
        raise _no_network("text encoder", where, error) from error


_TOKENS = "embeddings.token_embedding.weight"
_CLIP_NAMES = (
    _TOKENS, "embeddings.position_embedding.weight", r"encoder\.layers\.(\d+)\.", "encoder.layers.0.mlp.fc1.weight",
)  # fmt: skip
_OPEN_CLIP_NAMES = (
    "token_embedding.weight", "positional_embedding", r"transformer\.resblocks\.(\d+)\.",
    "transformer.resblocks.0.mlp.c_fc.weight",
)  # fmt: skip


def is_second(shapes: Shapes) -> bool:
    """Whether the text tower is OpenCLIP's, and the model Stable Diffusion 2.x."""
    return f"{OPEN_CLIP}token_embedding.weight" in shapes


def _count(shapes: Shapes, pattern: str) -> int:
    """One more than the highest number that the group of ``pattern`` has at the beginning of a name."""
    numbers = [int(found[1]) for name in shapes if (found := re.match(pattern, name))]
    return max(numbers, default=-1) + 1


def _no_network(name: str, where: str, error: Exception) -> RsforgeError:
    found = f"no weights named {error}" if isinstance(error, KeyError) else str(error)
    what = f"the file holds no whole {name} of Stable Diffusion 1.x or 2.x"
    return RsforgeError("RSF-C007", what, where=where, found=found[:160], fix="name a complete model")
