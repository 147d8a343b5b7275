"""The adapter of single files with the names of Rombach et al. 2022: ``.safetensors`` and ``.ckpt``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained.autoencoder_config import SCALING_FACTOR
from rsforge.models.pretrained.fill import build_filled
from rsforge.models.pretrained.json_files import unsupported_error
from rsforge.models.pretrained.ldm_names import (
    AUTOENCODER,
    CLIP,
    OPEN_CLIP,
    UNET,
    autoencoder_places,
    clip_places,
    open_clip_places,
    unet_places,
)
from rsforge.models.pretrained.ldm_sizes import (
    LAST_READ,
    Shapes,
    is_second,
    read_autoencoder_sizes,
    read_text_sizes,
    read_unet_sizes,
)
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.pretrained.scheduler_config import ForeignSchedule
from rsforge.models.pretrained.tensor_files import TensorFile, open_pickled, open_safetensors
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet
from rsforge.noise.process import Prediction
from rsforge.noise.schedules import BETA_ENDS

# What only other families name so.
OTHERS = {
    r"conditioner\.embedders\.": "Stable Diffusion XL",
    r"(model\.diffusion_model\.)?joint_blocks\.": "Stable Diffusion 3",
    r"(model\.diffusion_model\.)?double_blocks\.": "Flux",
    r"control_model\.": "a ControlNet",
    r"lora_": "an adapter, not a whole model",
}
# The networks were trained for this long before their files were written; the other files of 2.x predict v.
STEPS_OF_EPS = 875_000
PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "v": "v"}
STATED = "modelspec.prediction_type"
SIZES: dict[Prediction, int] = {"eps": 64, "v": 96}
LATENT_CHANNELS = 4


def read_single_file(
    path: Path, *, prediction: Prediction | None = None, dtype: torch.dtype = torch.float32
) -> PretrainedNetworks:
    """The networks of a single file of Stable Diffusion 1.x or 2.x, with the noise schedule that both have.

    What the network predicts is ``prediction``, or what the file says (``modelspec.prediction_type``, or the steps of
    its training), else eps for 1.x and v for 2.x. RSF-C004 for other families; RSF-C001 to RSF-C003 and RSF-C007 for
    what is missing, damaged, foreign and misshapen.
    """
    file = open_safetensors(path) if path.suffix.lower() == ".safetensors" else open_pickled(path)
    refuse_others(file.shapes, where=str(path))
    second, where = is_second(file.shapes), str(path)
    sizes = read_unet_sizes(file.shapes, second=second, where=where)
    _refuse_other_inputs(sizes.architecture, where)
    vae, text = read_autoencoder_sizes(file.shapes, where=where), read_text_sizes(file.shapes, where=where)
    told = prediction or find_prediction(file.facts, second=second)
    vae_places = autoencoder_places(len(vae["block_out_channels"]))
    autoencoder = build_filled(vae, file, vae_places, scope=AUTOENCODER, unused=_is_loss, dtype=dtype)
    denoiser = build_filled(
        sizes.architecture, file, unet_places(sizes.layers, sizes.up_attends), scope=UNET, dtype=dtype
    )
    return PretrainedNetworks(
        text_encoder=cast(TextEncoder, _read_text(file, text, second, dtype)),
        autoencoder=cast(AutoencoderKL, autoencoder),
        unet=cast(UNet, denoiser),
        scaling_factor=SCALING_FACTOR,
        latent_size=SIZES[told] if second else SIZES["eps"],
        schedule=ForeignSchedule(make_schedule(), told),
    )


def _read_text(file: TensorFile, architecture: Mapping[str, Any], second: bool, dtype: torch.dtype) -> torch.nn.Module:
    if second:
        return build_filled(architecture, file, open_clip_places, scope=OPEN_CLIP, unused=_is_unread, dtype=dtype)
    return build_filled(
        architecture, file, clip_places, scope=CLIP, unused=lambda name: name.endswith("position_ids"), dtype=dtype
    )


def _is_unread(name: str) -> bool:
    """What OpenCLIP has behind the layer that is read: the last layer, the projection, the temperature, the mask."""
    rest = name.removeprefix(OPEN_CLIP)
    last = f"transformer.resblocks.{LAST_READ}."
    return rest.startswith(last) or rest in ("text_projection", "logit_scale", "attn_mask")


def _is_loss(name: str) -> bool:
    """The critic and the perceptual network that the autoencoder was trained with, and its running average."""
    return name.startswith((f"{AUTOENCODER}loss.", f"{AUTOENCODER}model_ema."))


def refuse_others(shapes: Shapes, *, where: str) -> None:
    """RSF-C004 for a file of another family of models."""
    for pattern, family in OTHERS.items():
        if any(re.match(pattern, name) for name in shapes):
            raise unsupported_error(f"the file holds {family}, not Stable Diffusion 1.x or 2.x", where=where)


def _refuse_other_inputs(architecture: Mapping[str, Any], where: str) -> None:
    channels = architecture["in_channels"]
    if channels != LATENT_CHANNELS:
        what = f"the U-Net takes {channels} channels, as models for inpainting and editing do"
        raise unsupported_error(what, where=where)


def find_prediction(facts: Mapping[str, Any], *, second: bool) -> Prediction:
    """What the network predicts by what the file says beside its weights."""
    if facts.get(STATED) in PREDICTIONS:
        return PREDICTIONS[facts[STATED]]
    if not second or facts.get("global_step") == STEPS_OF_EPS:
        return "eps"
    return "v"


def make_schedule() -> dict[str, Any]:
    """The noise schedule and the grid of steps of Stable Diffusion 1.x and 2.x."""
    start, end = BETA_ENDS["scaled_linear"]
    return {
        "kind": "scaled_linear",
        "timesteps": 1000,
        "beta_start": start,
        "beta_end": end,
        "zero_terminal_snr": False,
        "spacing": "leading",
        "steps_offset": 1,
        "set_alpha_to_one": False,
    }
