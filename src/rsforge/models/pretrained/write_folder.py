"""Our networks written as the folder that ``diffusers.StableDiffusionPipeline.from_pretrained`` loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.models.pretrained import autoencoder_config, text_config, unet_config
from rsforge.models.pretrained.folder import CLASSES, CONFIG, INDEX, PIPELINE, SCHEDULER_CONFIG, STEMS
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.pretrained.scheduler_config import as_drawn, write_schedule
from rsforge.models.pretrained.write_tensors import write_safetensors
from rsforge.models.text_encoder import FORMER_PREFIX

TOKENIZER = "tokenizer"


def list_files() -> list[str]:
    """The files of such a folder but for its tokenizer, the one that makes it whole last."""
    parts = [f"{part}/{name}" for part, stem in STEMS.items() for name in (CONFIG, f"{stem}.safetensors")]
    return [*parts, f"scheduler/{SCHEDULER_CONFIG}", INDEX]


def describe_parts(networks: PretrainedNetworks, ids: dict[str, int]) -> dict[str, dict[str, Any]]:
    """The configuration of every part by its folder; ``ids`` are those of ``start``, ``end`` and ``pad``.

    The scheduler is the one that walks as is done here. RSF-C004 for a model that diffusers cannot draw from.
    """
    vae = autoencoder_config.write_autoencoder(networks.autoencoder.architecture, networks.image_size)
    return {
        "text_encoder": text_config.write_text(networks.text_encoder.architecture, **ids),
        "vae": vae | {"scaling_factor": networks.scaling_factor},
        "unet": unet_config.write_unet(networks.unet.architecture, networks.latent_size),
        "scheduler": write_schedule(as_drawn(networks.schedule)),
    }


def write_parts(networks: PretrainedNetworks, folder: Path, configs: dict[str, dict[str, Any]]) -> None:
    """Write the parts, each file whole or not at all; without ``model_index.json`` the folder is no model yet."""
    weights = {
        "text_encoder": {FORMER_PREFIX + k: v for k, v in networks.text_encoder.state_dict().items()},
        "vae": networks.autoencoder.state_dict(),
        "unet": networks.unet.state_dict(),
    }
    for part, config in configs.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        durable.write_json(folder / part / (CONFIG if part in STEMS else SCHEDULER_CONFIG), config)
    for part, stem in STEMS.items():
        write_safetensors(folder / part / f"{stem}.safetensors", weights[part])


def write_index(folder: Path, scheduler: str) -> None:
    """Write ``model_index.json``, which makes the folder a model."""
    diffusers, transformers = "diffusers", "transformers"
    index = {
        "_class_name": PIPELINE,
        "unet": [diffusers, CLASSES["unet"]],
        "vae": [diffusers, CLASSES["vae"]],
        "text_encoder": [transformers, CLASSES["text_encoder"]],
        "tokenizer": [transformers, "CLIPTokenizer"],
        "scheduler": [diffusers, scheduler],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    durable.write_json(folder / INDEX, index)
