"""Low-rank adapters from files of diffusers, peft and kohya's programs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.errors import RsforgeError
from rsforge.models.low_rank import LowRankUpdate
from rsforge.models.pretrained.adapter_names import PARTS, Part, Role, find_place, index_layers
from rsforge.models.pretrained.fill import whole_numbers_error
from rsforge.models.pretrained.json_files import AGAIN, read_object
from rsforge.models.pretrained.tensor_files import TensorFile, open_safetensors

SHOWN = 3
FILES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""The file in a folder: of diffusers, and of peft, which writes its configuration beside it."""
PEFT_CONFIG = "adapter_config.json"
HEADER = "lora_adapter_metadata"
LAYERS = (nn.Linear, nn.Conv2d)
# Names in files of other methods, or of other families of models.
OTHERS = {
    r"dora_scale|lora_magnitude_vector": "DoRA, which also scales the columns of weights",
    r"hada_|lokr_|oft_|lora_mid|glora|\.diff(_b)?$": "another method of LyCORIS than LoRA",
    r"lora_te[12]_|text_encoder_2|add_embedding|label_emb": "an adapter of Stable Diffusion XL",
    r"joint_blocks|double_blocks|single_transformer_blocks|^transformer\.": "an adapter of a transformer model",
    r"lora_[AB]\.bias|lora_B\.bias": "LoRA with biases",
}

Updates = dict[str, LowRankUpdate]
"""By the name of the layer in our network."""


def find_file(path: Path) -> Path:
    """The file of an adapter that is given as a file or as its folder."""
    if not path.is_dir():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), path / FILES[0])


def read_adapter(path: Path, networks: Mapping[Part, nn.Module]) -> dict[Part, Updates]:
    """The updates of each part of a model that a file, or a folder with one, has for the layers of ``networks``.

    RSF-C001 where there is none, RSF-C002 for one that is damaged or not finite, RSF-C003 for a pickled file, RSF-C004
    for other methods and families, RSF-C007 for layers, shapes and ranks that do not fit.
    """
    path = find_file(path)
    if not path.is_file():
        what, fix = (
            "the adapter was not found",
            f"name a .safetensors file or a folder with {FILES[0]}, and behind a colon a number",
        )
        raise RsforgeError("RSF-C001", what, where=str(path), fix=fix)
    if path.suffix.lower() != ".safetensors":
        what, fix = (
            f"{path.name} is no safetensors file",
            "name an adapter in safetensors; the folder of a run with --lora-rank has its own",
        )
        raise RsforgeError("RSF-C003", what, where=str(path), fix=fix)
    file = open_safetensors(path)
    _refuse_others(file)
    layers: dict[Part, dict[str, Any]] = {part: _list_layers(networks[part]) for part in PARTS}
    names = _group_names(file, layers)
    settings = _read_settings(path, file)
    found: dict[Part, Updates] = {part: {} for part in PARTS}
    for (part, layer), roles in names.items():
        found[part][layer] = _read_update(file, roles, layers[part][layer], _AlphaRule(settings, part, layer))
    return {part: updates for part, updates in found.items() if updates}


def _list_layers(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights that an adapter may change, by the name of the layer."""
    modules = network.named_modules()
    return {name: tuple(module.weight.shape) for name, module in modules if isinstance(module, LAYERS)}


def _refuse_others(file: TensorFile) -> None:
    for pattern, method in OTHERS.items():
        if name := next((name for name in file.shapes if re.search(pattern, name)), None):
            what, fix = f"the file holds {method}", "name a LoRA of Stable Diffusion 1.x or 2.x"
            raise RsforgeError("RSF-C004", what, where=file.where, found=name, fix=fix)


def _group_names(file: TensorFile, layers: Mapping[Part, Mapping[str, Any]]) -> dict[tuple[Part, str], dict[Role, str]]:
    """The names of the tensors of each layer by what they are; RSF-C007 for names and layers that there are not."""
    kohya = {name: (part, layer) for part in PARTS for name, layer in index_layers(part, layers[part]).items()}
    names: dict[tuple[Part, str], dict[Role, str]] = {}
    unknown = []
    for name in file.shapes:
        place = find_place(name, kohya)
        if place is None or place.layer not in layers[place.part]:
            unknown.append(name)
            continue
        roles = names.setdefault((place.part, place.layer), {})
        if place.role in roles:  # of two programs, whose factors differ
            found = f"{roles[place.role]} and {name} are of one layer"
            raise _misfit(file, found, "save the adapter with one program's names alone")
        roles[place.role] = name
    halves = [next(iter(roles.values())) for roles in names.values() if not {"down", "up"} <= set(roles)]
    if unknown or halves or not names:
        kind, shown = ("of layers that the model has not", unknown) if unknown else ("without its other half", halves)
        found = f"{len(shown)} tensors {kind}: {', '.join(shown[:SHOWN])}" if shown else "no tensors"
        raise _misfit(file, found)
    return names


def _misfit(file: TensorFile, found: str, fix: str = "name an adapter that was trained on this model") -> RsforgeError:
    return RsforgeError("RSF-C007", "the adapter does not fit the model", where=file.where, found=found, fix=fix)


def _read_settings(path: Path, file: TensorFile) -> dict[str, Any]:
    """What peft says of an adapter beside its weights: in the header of the file, or in a file beside it."""
    if isinstance(text := file.facts.get(HEADER), str):
        try:
            settings = json.loads(text)
        except (ValueError, RecursionError) as error:
            what = "the header of the adapter is no JSON"
            raise RsforgeError("RSF-C003", what, where=file.where, found=str(error)[:160]) from error
        return settings if isinstance(settings, dict) else {}
    beside = path.with_name(PEFT_CONFIG)
    if path.name == FILES[1] and beside.is_file():
        return {f"unet.{key}": value for key, value in read_object(beside).items()}
    return {}


class _AlphaRule:
    """What peft's settings say of the alpha and the rank of one layer."""

    def __init__(self, settings: Mapping[str, Any], part: Part, layer: str) -> None:
        own = {key.removeprefix(f"{part}."): value for key, value in settings.items() if key.startswith(f"{part}.")}
        self.rank = _find_number(own.get("rank_pattern"), layer, own.get("r"))
        self.alpha = _find_number(own.get("alpha_pattern"), layer, own.get("lora_alpha"))
        self.by_root = bool(own.get("use_rslora"))

    def choose(self, rank: int) -> float:
        """The alpha whose quotient with the rank is the factor; without a word of it the factor is 1."""
        if self.alpha is None:
            return float(rank)
        return self.alpha * math.sqrt(rank) if self.by_root else self.alpha


def _find_number(patterns: Any, layer: str, otherwise: Any) -> float | None:
    """The number for a layer: of the first pattern that is the end of its name, else the one for all.

    Peft's patterns are regular expressions; libraries write names into them, and a name is what is read here.
    """
    known = patterns if isinstance(patterns, dict) else {}
    names = {key: re.sub(r"[\\^$]", "", key) for key in known}
    value = next((known[key] for key, name in names.items() if f".{layer}".endswith(f".{name}")), otherwise)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read_update(
    file: TensorFile, roles: Mapping[Role, str], shape: tuple[int, ...], rule: _AlphaRule
) -> LowRankUpdate:
    down, up = (_read_matrix(file, roles[role]) for role in ("down", "up"))
    rank = down.shape[0] if down.ndim else 0
    alpha = _read_alpha(file, roles["alpha"]) if "alpha" in roles else rule.choose(rank)
    update = LowRankUpdate(down, up, alpha)
    if not rank or not update.fits(shape):
        found = f"{roles['down']} {list(down.shape)} and {list(up.shape)} for a weight {list(shape)}"
        raise _misfit(file, found)
    if rule.rank is not None and rule.rank != rank:
        raise _misfit(file, f"{roles['down']} has rank {rank}, the settings of the file say {rule.rank:g}")
    if not (down.isfinite().all() and up.isfinite().all() and math.isfinite(alpha)):
        what, fix = "weights of the adapter are not finite", "get the file again"
        raise RsforgeError("RSF-C002", what, where=file.where, found=roles["down"], fix=fix)
    return update


def _read_matrix(file: TensorFile, name: str) -> Tensor:
    tensor = file.read(name)
    if not tensor.is_floating_point():
        raise whole_numbers_error(file.where, name, tensor)
    return tensor.to(torch.float32, copy=True)


def _read_alpha(file: TensorFile, name: str) -> float:
    """The one number of a tensor; kohya's programs also write whole ones."""
    tensor = file.read(name)
    if tensor.numel() != 1 or tensor.is_complex():
        raise _misfit(file, f"{name} is no single number but {tensor.dtype} {list(tensor.shape)}", AGAIN)
    return float(tensor)
