"""The KL autoencoder as ``diffusers`` configures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.json_files import ANY, Neutral, check_keys, unsupported_error

CLASS = "AutoencoderKL"
SCALING_FACTOR = 0.18215
"""That of Stable Diffusion 1.x and 2.x: 1 over the deviation of the latents of its training."""
DEFAULTS: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": [64],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 32,
}
BLOCKS = {"down_block_types": "DownEncoderBlock2D", "up_block_types": "UpDecoderBlock2D"}
NEUTRAL: Neutral = {
    "scaling_factor": ANY,  # read by read_scaling_factor
    "sample_size": ANY,
    "force_upcast": ANY,  # the precision of half-precision runs alone
    "latents_mean": ANY,  # StableDiffusionPipeline reads neither
    "latents_std": ANY,
    "down_block_types": ANY,  # checked by themselves
    "up_block_types": ANY,
    "act_fn": ("silu", "swish"),
    "shift_factor": (None, 0, 0.0),
    "use_quant_conv": (True,),
    "use_post_quant_conv": (True,),
    "mid_block_add_attention": (True,),
}


def read_autoencoder(config: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Our architecture of a configuration; RSF-C004 for a key that changes results and is not ours."""
    check_keys(config, DEFAULTS, NEUTRAL, where=where)
    for key, kind in BLOCKS.items():
        value = config.get(key, [kind])
        if not isinstance(value, list) or not value or any(one != kind for one in value):
            raise unsupported_error(f"{key} {value} is not supported", where=where)
    return {"name": "autoencoder_kl", **DEFAULTS, **{k: v for k, v in config.items() if k in DEFAULTS}}


def read_scaling_factor(config: Mapping[str, Any], *, where: str) -> float:
    """What latents are multiplied by to be of unit size; RSF-C004 unless it is a positive number."""
    factor = config.get("scaling_factor", SCALING_FACTOR)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < float("inf"):
        raise unsupported_error(f"scaling_factor {factor!r} is not a positive number", where=where)
    return float(factor)


def write_autoencoder(architecture: Mapping[str, Any], image_size: int) -> dict[str, Any]:
    """The configuration of our architecture, without what latents are multiplied by; RSF-C004 for a linear path."""
    check_expressible(architecture)
    levels = len(architecture["block_out_channels"])
    return {
        "_class_name": CLASS,
        **{key: architecture[key] for key in DEFAULTS},
        **{key: [kind] * levels for key, kind in BLOCKS.items()},
        "act_fn": "silu",
        "sample_size": image_size,
        "force_upcast": False,
    }


def check_expressible(architecture: Mapping[str, Any], *, where: str = "") -> None:
    """RSF-C004 for an autoencoder that diffusers has no counterpart of: one with a linear path beside its network."""
    if architecture.get("linear_path"):
        raise RsforgeError(
            "RSF-C004", "diffusers has no autoencoder with a linear path beside its network", where=where,
            fix="train one with `rsforge vae train --latent map --no-linear-path`",
        )  # fmt: skip
