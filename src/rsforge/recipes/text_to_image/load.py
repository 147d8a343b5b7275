"""Text-to-image models from the checkpoints of ``rsforge diffusion finetune``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.adapter import Adapter
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.low_rank import merge_updates
from rsforge.models.pretrained.folder import INDEX
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet
from rsforge.recipes.diffusion.find_partner import AUTOENCODER_OF_TEXTS, find_autoencoder
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild
from rsforge.recipes.inference.partners import root_of_run
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_to_image.base_model import PRETRAINED, digest_frozen, load_frozen
from rsforge.recipes.text_to_image.scratch import SCALED, fold, make_noise, stored_tokenizer
from rsforge.recipes.text_to_image.trained_part import ADAPTER, DENOISER, TEXT_ENCODER
from rsforge.settings.finetune import StartSettings

KIND = "diffusion-text"
ROLE = "text-to-image checkpoint"
REQUIRED = (
    "architecture", "image_size", "latent_shape", "prediction", "schedule", "latent_mean", "latent_std", "conditioning",
    "partners",
)  # fmt: skip
CPU = torch.device("cpu")


def load_model(path: Path, *, averaged: bool = True) -> PretrainedModel:
    """The model of a checkpoint, with averaged weights where it has them.

    What was frozen is looked for where the training found it; RSF-C001 and RSF-C006 where it is gone or another.
    """
    state = checkpoint.load(path, kind=KIND, role=ROLE)
    if has_adapter(state):
        adapter = rebuild_adapter(state, path, averaged=averaged)
        base = _find_pretrained(state, path)
        _merge(adapter, base.unet, path)
        unet = base.unet
    else:
        loaded = rebuild(state, DENOISER, path, averaged=averaged, required=REQUIRED)
        unet = cast(UNet, loaded.network)
        known = PRETRAINED in state["partners"]
        base = _find_pretrained(state, path) if known else _assemble(state, loaded, path, averaged=averaged)
    size = state["image_size"] // base.autoencoder.factor
    return replace(base, networks=replace(base.networks, unet=unet, latent_size=size))


def has_adapter(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of this kind holds adapters of a model, and not the model."""
    return ADAPTER in state.get("nets", {})


def rebuild_adapter(state: dict[str, Any], path: Path, *, averaged: bool = True) -> Adapter:
    """The adapters of a checkpoint, with averaged weights where it has them; RSF-C003 and RSF-C007 as ``rebuild``."""
    network = rebuild(state, ADAPTER, path, averaged=averaged, required=REQUIRED).network
    if isinstance(network, Adapter):
        return network
    raise RsforgeError("RSF-C003", "the checkpoint does not describe its adapters", where=str(path))


def _merge(adapter: Adapter, unet: UNet, path: Path) -> None:
    try:
        merge_updates(unet, adapter.updates())
    except (KeyError, RuntimeError) as error:
        what = "the adapters do not fit the U-Net of the pretrained model"
        raise RsforgeError("RSF-C007", what, where=str(path), found=str(error)[:160]) from error


def _find_pretrained(state: Mapping[str, Any], path: Path) -> PretrainedModel:
    """The model that was fine-tuned, or the one that the run has written, whose frozen parts are the same."""
    partner, beside, others = state["partners"].get(PRETRAINED), has_adapter(state), []
    if partner is None:
        raise RsforgeError("RSF-C003", "the checkpoint names no pretrained model", where=str(path))
    for place, options in _places(state, path, partner["path"]):
        try:
            model = load_frozen(place, options)
        except RsforgeError as error:
            others.append(f"{place}: {error.what}")
            continue
        if digest_frozen(model, unet=beside) == partner["digest"]:
            return model
        others.append(f"{place}: another {'U-Net, ' if beside else ''}autoencoder or text tower")
    code = "RSF-C006" if others else "RSF-C001"
    raise RsforgeError(
        code, f"the pretrained model of {path} is neither beside it nor at {partner['path']}", where=str(path),
        found="\n".join(others[:4]), fix=f"put it where it was, or {_instead(path, adapters=beside)}",
    )  # fmt: skip


def _instead(path: Path, *, adapters: bool) -> str:
    """What draws without the checkpoint of a fine-tune; the folder of one with adapters holds these alone."""
    if adapters:
        return f"draw with that model and `--lora {shlex.quote(str(path.parent))}` in place of the checkpoint"
    return "draw from the folder that its training wrote"


def _places(state: Mapping[str, Any], path: Path, stored: str) -> Iterator[tuple[Path, StartSettings]]:
    if (path.parent / INDEX).is_file():
        yield path.parent, StartSettings()
    options = StartSettings.model_validate(state["settings"]["model"])
    for place in dict.fromkeys((root_of_run(path.parent, state) / stored, Path(stored))):
        if place.exists():
            yield place, options


def _assemble(state: Mapping[str, Any], unet: LoadedModel, path: Path, *, averaged: bool) -> PretrainedModel:
    """The model of a training from scratch, of its own networks and the autoencoder that it names."""
    where = str(path)
    tower = rebuild(dict(state), TEXT_ENCODER, path, averaged=averaged, required=REQUIRED)
    found, (autoencoder, loaded) = find_autoencoder(path, unet, CPU, AUTOENCODER_OF_TEXTS)
    folded: AutoencoderKL = fold(autoencoder, loaded, where=str(found))
    if state["prediction"] not in ("eps", "v"):
        what = "the checkpoint does not describe how it draws"
        raise RsforgeError("RSF-C003", what, where=where, found=str(state["prediction"])[:80])
    networks = PretrainedNetworks(
        cast(UNet, unet.network), folded, cast(TextEncoder, tower.network), SCALED, 1, make_noise(state["prediction"])
    )
    return PretrainedModel(networks, stored_tokenizer(state, where=where))
