"""The weights of a folder under the names that single files have, written down without our tables of names."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file

UNET = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.attentions.0": "input_blocks.1.1", "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0", "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0", "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.1.conv", "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.attentions.0": "output_blocks.2.1", "up_blocks.1.resnets.1": "output_blocks.3.0",
    "up_blocks.1.attentions.1": "output_blocks.3.1",
}  # fmt: skip
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
VAE = {
    "encoder.conv_norm_out": "encoder.norm_out", "decoder.conv_norm_out": "decoder.norm_out",
    "encoder.down_blocks.0.resnets.0": "encoder.down.0.block.0",
    "encoder.down_blocks.0.downsamplers.0.conv": "encoder.down.0.downsample.conv",
    "encoder.down_blocks.1.resnets.0": "encoder.down.1.block.0",
    "decoder.up_blocks.0.resnets.0": "decoder.up.1.block.0", "decoder.up_blocks.0.resnets.1": "decoder.up.1.block.1",
    "decoder.up_blocks.0.upsamplers.0.conv": "decoder.up.1.upsample.conv",
    "decoder.up_blocks.1.resnets.0": "decoder.up.0.block.0", "decoder.up_blocks.1.resnets.1": "decoder.up.0.block.1",
    **{f"{side}.mid_block.resnets.{i}": f"{side}.mid.block_{i + 1}" for side in ("encoder", "decoder") for i in (0, 1)},
    **{f"{side}.mid_block.attentions.0": f"{side}.mid.attn_1" for side in ("encoder", "decoder")},
}  # fmt: skip
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _with(names, name):
    for ours, theirs in names.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    return name


def rename_unet(state):
    renamed = {}
    for name, tensor in state.items():
        new = _with(UNET, name)
        if ".resnets." in name:
            head, rest = re.fullmatch(r"(\w+\.\d+(?:\.0)?)\.(.+)", new).groups()
            new = f"{head}.{_with(RESNET, rest)}"
        renamed[f"model.diffusion_model.{new}"] = tensor
    return renamed


def rename_vae(state, *, present=False):
    """``present`` keeps the names of today in the attention, as some programs write them."""
    renamed = {}
    for name, tensor in state.items():
        new = _with(VAE, name).replace("conv_shortcut", "nin_shortcut")
        if "attn_1." in new and not present:
            head, rest = new.split("attn_1.")
            new = f"{head}attn_1.{_with(ATTENTION, rest)}"
            tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        renamed[f"first_stage_model.{new}"] = tensor
    return renamed


def rename_clip(state):
    return {f"cond_stage_model.transformer.{name}": tensor for name, tensor in state.items()}


def rename_open_clip(state):
    renamed, joined = {}, {}
    simple = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
              "self_attn.out_proj": "attn.out_proj"}  # fmt: skip
    for name, tensor in state.items():
        name = name.removeprefix("text_model.")
        if found := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)", name):
            layer, rest = found.groups()
            if projection := re.fullmatch(r"self_attn\.([qkv])_proj\.(weight|bias)", rest):
                joined.setdefault(f"transformer.resblocks.{layer}.attn.in_proj_{projection[2]}", {})[projection[1]] = (
                    tensor
                )
            else:
                renamed[f"transformer.resblocks.{layer}.{_with(simple, rest)}"] = tensor
        else:
            ends = {"embeddings.token_embedding.weight": "token_embedding.weight",
                    "embeddings.position_embedding.weight": "positional_embedding"}  # fmt: skip
            renamed[ends.get(name, name.replace("final_layer_norm", "ln_final"))] = tensor
    renamed |= {name: torch.cat([parts[key] for key in "qkv"]) for name, parts in joined.items()}
    return {f"cond_stage_model.model.{name}": tensor.contiguous() for name, tensor in renamed.items()}


def read_states(folder: Path):
    states = {part: load_file(folder / part / "diffusion_pytorch_model.safetensors") for part in ("unet", "vae")}
    text = load_file(folder / "text_encoder" / "model.safetensors")
    text = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in text.items()}
    return states["unet"], states["vae"], text


def single_file(folder: Path, family: str, *, present=False):
    """All weights of the folder as one dictionary."""
    unet, vae, text = read_states(folder)
    renamed_text = rename_clip(text) if family == "1.x" else rename_open_clip(text)
    return {**rename_unet(unet), **rename_vae(vae, present=present), **renamed_text}
