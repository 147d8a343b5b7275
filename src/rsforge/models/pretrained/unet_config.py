"""The U-Net as ``diffusers`` configures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.json_files import ANY, Neutral, check_keys, unsupported_error

CLASS = "UNet2DConditionModel"
# Options by their names, which are ours too, with what diffusers takes where a configuration lacks one.
DEFAULTS: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
    "attention_head_dim": 8,
    "cross_attention_dim": 1280,
    "use_linear_projection": False,
    "norm_num_groups": 32,
    "transformer_layers_per_block": 1,
}
# These may be one number or one a stage; ours is one.
UNIFORM = ("layers_per_block", "cross_attention_dim", "transformer_layers_per_block")
NEUTRAL: Neutral = {
    "sample_size": ANY,
    "upcast_attention": ANY,  # the precision of half-precision attention alone
    "dropout": (0, 0.0),
    "act_fn": ("silu", "swish"),
    "addition_embed_type": (None,),
    "addition_embed_type_num_heads": ANY,
    "addition_time_embed_dim": (None,),
    "attention_type": ("default",),
    "center_input_sample": (False,),
    "class_embed_type": (None,),
    "class_embeddings_concat": (False,),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "cross_attention_norm": (None,),
    "downsample_padding": (1,),
    "dual_cross_attention": (False,),
    "encoder_hid_dim": (None,),
    "encoder_hid_dim_type": (None,),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "mid_block_only_cross_attention": (None, False),
    "mid_block_scale_factor": (1, 1.0),
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
    "norm_eps": (1e-5,),
    "num_attention_heads": (None,),
    "num_class_embeds": (None,),
    "only_cross_attention": (False,),
    "projection_class_embeddings_input_dim": (None,),
    "resnet_out_scale_factor": (1, 1.0),
    "resnet_skip_time_act": (False,),
    "resnet_time_scale_shift": ("default",),
    "reverse_transformer_layers_per_block": (None,),
    "time_cond_proj_dim": (None,),
    "time_embedding_act_fn": (None,),
    "time_embedding_dim": (None,),
    "time_embedding_type": ("positional",),
    "timestep_post_act": (None,),
}


def read_unet(config: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Our architecture of a configuration; RSF-C004 for a key that changes results and is not ours."""
    check_keys(config, DEFAULTS, NEUTRAL, where=where)
    options = DEFAULTS | {key: value for key, value in config.items() if key in DEFAULTS}
    for key in UNIFORM:
        options[key] = _read_one(key, options[key], where)
    return {"name": "unet", **options}


def _read_one(key: str, value: Any, where: str) -> Any:
    if not isinstance(value, list):
        return value
    if len({str(one) for one in value}) != 1:
        raise unsupported_error(f"{key} {value} differs between the stages, which is not supported", where=where)
    return value[0]


def write_unet(architecture: Mapping[str, Any], sample_size: int) -> dict[str, Any]:
    """The configuration of our architecture; RSF-C004 for one that text-to-image pipelines of diffusers cannot run."""
    if architecture["cross_attention_dim"] is None or architecture["projection_class_embeddings_input_dim"]:
        what = "diffusers draws from a U-Net with a text as its only input"
        found = "no text" if architecture["cross_attention_dim"] is None else "a vector beside it"
        raise RsforgeError("RSF-C004", what, where="unet", found=found, fix="export a model that is told by a text")
    options = {key: architecture[key] for key in DEFAULTS}
    if options["up_block_types"] is None:
        options["up_block_types"] = [name.replace("Down", "Up") for name in reversed(options["down_block_types"])]
    if width := architecture["head_width"]:
        options["attention_head_dim"] = [max(1, channels // width) for channels in options["block_out_channels"]]
    fixed = {"act_fn": "silu", "norm_eps": 1e-5, "flip_sin_to_cos": True, "freq_shift": 0, "downsample_padding": 1}
    return {"_class_name": CLASS, **options, **fixed, "sample_size": sample_size}
