"""Our names of weights as the code of Rombach et al. 2022 and OpenCLIP call them, which single files keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rsforge.models.pretrained.fill import PARTS, Piece

UNET = "model.diffusion_model."
AUTOENCODER = "first_stage_model."
CLIP = "cond_stage_model.transformer."
OPEN_CLIP = "cond_stage_model.model."

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_ENDS = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
}  # fmt: skip
_STAGE = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def unet_places(layers: int, up_attends: Sequence[bool]) -> Callable[[str], list[Piece]]:
    """Where the weights of a U-Net of ``layers`` blocks a stage are; ``up_attends`` begins with the coarsest stage."""

    def places(own: str) -> list[Piece]:
        return [Piece(UNET + _unet_name(own, layers, up_attends))]

    return places


def _unet_name(own: str, layers: int, up_attends: Sequence[bool]) -> str:
    if found := _MIDDLE.fullmatch(own):
        kind, index, rest = found.groups()
        return f"middle_block.{1 if kind == 'attentions' else 2 * int(index)}.{_rename_resnet(kind, rest)}"
    if not (found := _STAGE.fullmatch(own)):
        head, kind = own.rsplit(".", 1)
        return f"{_UNET_ENDS.get(head, head)}.{kind}"
    way, stage, kind, index, rest = found.groups()
    first, place = int(stage) * (layers + 1), 1 if kind == "attentions" else 0
    match kind:
        case "downsamplers":
            return f"input_blocks.{first + layers + 1}.0.{rest.replace('conv.', 'op.')}"
        case "upsamplers":
            return f"output_blocks.{first + layers}.{1 + up_attends[int(stage)]}.{rest}"
    name, number = ("input_blocks", first + int(index) + 1) if way == "down" else ("output_blocks", first + int(index))
    return f"{name}.{number}.{place}.{_rename_resnet(kind, rest)}"


def _rename_resnet(kind: str, rest: str) -> str:
    layer, rest_of_name = rest.split(".", 1)
    return f"{_RESNET[layer]}.{rest_of_name}" if kind == "resnets" else rest


_AUTOENCODER_ENDS = {
    "conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut", "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2", "mid_block.attentions.0": "mid.attn_1",
}  # fmt: skip
_ATTENTION = {"group_norm.": "norm.", "to_q.": "q.", "to_k.": "k.", "to_v.": "v.", "to_out.0.": "proj_out."}


def autoencoder_places(levels: int) -> Callable[[str], list[Piece]]:
    """Where the weights of an autoencoder of ``levels`` resolutions are; its attention has two sets of names."""

    def rename(own: str) -> str:
        name = own
        if found := _STAGE.search(own):
            way, stage, kind, index, rest = found.groups()
            level = int(stage) if way == "down" else levels - 1 - int(stage)
            what = f"block.{index}" if kind == "resnets" else f"{way}sample"
            name = f"{own[: found.start()]}{way}.{level}.{what}.{rest}"
        for ours, theirs in _AUTOENCODER_ENDS.items():
            name = name.replace(ours, theirs)
        return AUTOENCODER + name

    def places(own: str) -> list[Piece]:
        name = rename(own)
        attention = next((ours for ours in _ATTENTION if f"attn_1.{ours}" in name), None)
        former = [] if attention is None else [Piece(name.replace(attention, _ATTENTION[attention]))]
        return [*former, Piece(name)]

    return places


def clip_places(own: str) -> list[Piece]:
    """Where the weights of CLIP's text tower are in files of Stable Diffusion 1.x; merged models leave a part out."""
    return [Piece(f"{CLIP}text_model.{own}"), Piece(CLIP + own)]


_OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.": "ln_final.",
    "encoder.layers.": "transformer.resblocks.",
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
}
_JOINED = ("q_proj", "k_proj", "v_proj")


def open_clip_places(own: str) -> list[Piece]:
    """Where the weights of OpenCLIP's text tower are in files of Stable Diffusion 2.x: three projections in one."""
    name = own
    for ours, theirs in _OPEN_CLIP.items():
        name = name.replace(ours, theirs)
    for part, projection in zip(range(PARTS), _JOINED, strict=True):
        if f"self_attn.{projection}." in name:
            return [Piece(OPEN_CLIP + name.replace(f"self_attn.{projection}.", "attn.in_proj_"), part)]
    return [Piece(OPEN_CLIP + name)]
