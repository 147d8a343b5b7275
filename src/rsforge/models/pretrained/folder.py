"""The adapter of folders in the Hugging Face layout: ``model_index.json`` and a folder for each part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained import autoencoder_config, text_config, unet_config
from rsforge.models.pretrained.fill import Piece, build_filled
from rsforge.models.pretrained.folder_files import DIFFUSERS, TRANSFORMERS, check_variant, open_part
from rsforge.models.pretrained.json_files import read_object, unsupported_error
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.pretrained.scheduler_config import read_schedule
from rsforge.models.text_encoder import FORMER_PREFIX, TextEncoder
from rsforge.models.unet import UNet

INDEX = "model_index.json"
CONFIG = "config.json"
SCHEDULER_CONFIG = "scheduler_config.json"
PIPELINE = "StableDiffusionPipeline"
PIPELINES = (PIPELINE, "StableDiffusionImg2ImgPipeline")
STEMS = {"text_encoder": TRANSFORMERS, "vae": DIFFUSERS, "unet": DIFFUSERS}
CLASSES = {"unet": unet_config.CLASS, "vae": autoencoder_config.CLASS, "text_encoder": text_config.CLASS}
# What the layers of the autoencoder's attention were called before 2023.
FORMER = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
SIZE, MOST_SIZE = 64, 1 << 12


def read_folder(
    folder: Path, *, variant: str | None = None, allow_pickle: bool = False, dtype: torch.dtype = torch.float32
) -> PretrainedNetworks:
    """The networks and the schedule of a Stable Diffusion 1.x or 2.x folder.

    RSF-C004 for another class of model, for a part of another class and for a key that changes results and is not done
    here; RSF-C001 to RSF-C003 and RSF-C007 for what is missing, damaged, pickled and misshapen.
    """
    check_index(folder)
    if variant is not None:
        check_variant({folder / part: stem for part, stem in STEMS.items()}, variant)
    configs = {part: _read_config(folder / part, name) for part, name in CLASSES.items()}
    foreign = read_schedule(read_object(folder / "scheduler" / SCHEDULER_CONFIG), where=str(folder / "scheduler"))
    options: dict[str, Any] = {"dtype": dtype}

    def open_weights(part: str, stem: str) -> Any:
        return open_part(folder / part, stem, variant=variant, allow_pickle=allow_pickle)

    where = {part: str(folder / part / CONFIG) for part in CLASSES}
    text = text_config.read_text(configs["text_encoder"], where=where["text_encoder"])
    vae = autoencoder_config.read_autoencoder(configs["vae"], where=where["vae"])
    unet = unet_config.read_unet(configs["unet"], where=where["unet"])
    scaling_factor = autoencoder_config.read_scaling_factor(configs["vae"], where=where["vae"])
    encoder = build_filled(text, open_weights("text_encoder", TRANSFORMERS), text_places, unused=_is_unused, **options)
    autoencoder = build_filled(vae, open_weights("vae", DIFFUSERS), autoencoder_places, **options)
    denoiser = build_filled(unet, open_weights("unet", DIFFUSERS), **options)
    return PretrainedNetworks(
        unet=cast(UNet, denoiser),
        autoencoder=cast(AutoencoderKL, autoencoder),
        text_encoder=cast(TextEncoder, encoder),
        scaling_factor=scaling_factor,
        latent_size=_read_size(configs["unet"]),
        schedule=foreign,
    )


def check_index(folder: Path) -> None:
    """RSF-C001 or RSF-C003 for a folder without a usable ``model_index.json``, RSF-C004 for another class of model."""
    index = read_object(folder / INDEX)
    name = index.get("_class_name")
    if name not in PIPELINES:
        raise unsupported_error(f"{name} is not Stable Diffusion 1.x or 2.x", where=str(folder / INDEX))
    for part, known in CLASSES.items():
        stated = index.get(part)
        if isinstance(stated, list) and stated[-1:] != [known]:
            found = stated[-1] if stated else "nothing"
            raise unsupported_error(f"the {part} is {found}, where {known} is read", where=str(folder / INDEX))


def _read_config(folder: Path, known: str) -> dict[str, Any]:
    config = read_object(folder / CONFIG)
    name = config.get("_class_name", known)
    if name != known:
        raise unsupported_error(f"{folder.name} is {name}, where {known} is read", where=str(folder / CONFIG))
    return config


def _read_size(config: Mapping[str, Any]) -> int:
    size = config.get("sample_size", SIZE)
    first = size[0] if isinstance(size, list) and size else size
    return first if isinstance(first, int) and not isinstance(first, bool) and 0 < first <= MOST_SIZE else SIZE


def text_places(own: str) -> list[Piece]:
    """Names of the text tower in folders, with the prefix that most have and without."""
    return [Piece(f"{FORMER_PREFIX}{own}"), Piece(own)]


def _is_unused(name: str) -> bool:
    """Positions 0, 1, 2, ... as a buffer, and the projection that a text-to-image model does not read."""
    return name.endswith("position_ids") or name.startswith("text_projection")


def autoencoder_places(own: str) -> list[Piece]:
    """Names of the autoencoder in folders, of today and of before."""
    for present, former in FORMER.items():
        if f"attentions.0.{present}" in own:
            return [Piece(own), Piece(own.replace(present, former))]
    return [Piece(own)]
