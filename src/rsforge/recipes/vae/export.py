"""``rsforge vae export``: a folder that ``diffusers.AutoencoderKL.from_pretrained`` loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from rsforge import durable, leftovers
from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained.autoencoder_config import check_expressible
from rsforge.recipes.console import Console
from rsforge.recipes.output_checks import check_makeable
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.vae import VaeExportSettings

CONFIG = "config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def export(settings: VaeExportSettings, console: Console) -> dict[str, Any]:
    """Write weights and configuration under the names of diffusers; the weights first, each whole or not at all."""
    folder = settings.output_dir
    check_makeable(folder, "the export", "--output-dir")
    _check_free(folder, overwrite=settings.overwrite)
    network, restored = load_autoencoder(settings.checkpoint, torch.device("cpu"))
    if not isinstance(network, AutoencoderKL):
        what = "diffusers has no autoencoder with a vector latent"
        raise RsforgeError("RSF-C004", what, where=str(settings.checkpoint), fix="train one with --latent map")
    check_expressible(network.architecture, where=str(settings.checkpoint))
    result = {"output_dir": str(folder), "weights": str(folder / WEIGHTS), "config": str(folder / CONFIG)}
    if console.dry_run:
        return result
    output_dir.make(folder)
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    statistics = restored.state["parts"].get("own/latents", {})
    config = describe_config(network, restored.state["image_size"], statistics)
    leftovers.sweep_for([folder / WEIGHTS, folder / CONFIG])
    durable.write_bytes(folder / WEIGHTS, safetensors.torch.save(tensors, {"format": "pt"}))
    durable.write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    return result


def describe_config(network: AutoencoderKL, image_size: int, statistics: dict[str, Tensor]) -> dict[str, Any]:
    """The configuration of ``diffusers.AutoencoderKL``; its scaling factor makes the measured latents of unit size."""
    options = {name: value for name, value in network.architecture.items() if name not in ("name", "linear_path")}
    levels = len(options["block_out_channels"])
    config: dict[str, Any] = {
        "_class_name": "AutoencoderKL",
        **options,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "act_fn": "silu",
        "sample_size": image_size,
        "force_upcast": False,
    }
    if statistics:
        config["scaling_factor"] = float(1 / statistics["std"].float().mean())
        config["latents_mean"] = statistics["mean"].flatten().tolist()
        config["latents_std"] = statistics["std"].flatten().tolist()
    return config


def _check_free(folder: Path, *, overwrite: bool) -> None:
    present = [name for name in (CONFIG, WEIGHTS) if (folder / name).exists()]
    if present and not overwrite:
        what, fix = f"{folder} holds an export already", "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(present), fix=fix)
