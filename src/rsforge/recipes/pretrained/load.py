"""Stable Diffusion 1.x and 2.x from a folder, a single file, or the local cache of downloads."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rsforge.data.clip_tokenizer import ClipTokenizer
from rsforge.data.clip_tokenizer_files import read_clip_tokenizer
from rsforge.data.io.native_output import first_line
from rsforge.errors import RsforgeError, from_os_error
from rsforge.models.pretrained.folder import CONFIG, INDEX, read_folder
from rsforge.models.pretrained.hub_cache import MAIN, find_snapshot, resolve_model
from rsforge.models.pretrained.json_files import read_object, unsupported_error
from rsforge.models.pretrained.networks import PretrainedNetworks, check_parts
from rsforge.models.pretrained.read_adapter import find_file
from rsforge.models.pretrained.single_file import read_single_file
from rsforge.models.pretrained.text_config import read_ids
from rsforge.models.pretrained.write_folder import TOKENIZER
from rsforge.noise.process import Prediction
from rsforge.recipes.pretrained.model import PretrainedModel

SUFFIXES = (".safetensors", ".ckpt")
OWN_TOKENIZER = "take the tokenizer of the model that the weights are from"
# Models whose downloads have the tokenizer that single files leave out: of 1.x and of 2.x, which pads otherwise.
TOKENIZERS = {
    "quick_gelu": ("openai/clip-vit-large-patch14", "stable-diffusion-v1-5/stable-diffusion-v1-5",
                   "runwayml/stable-diffusion-v1-5", "CompVis/stable-diffusion-v1-4"),
    "gelu": ("stabilityai/stable-diffusion-2-1", "stabilityai/stable-diffusion-2-1-base",
             "stabilityai/stable-diffusion-2", "stabilityai/stable-diffusion-2-base", "stabilityai/sd-turbo"),
}  # fmt: skip


def load_pretrained(
    model: str | Path,
    *,
    allow_pickle: bool = False,
    variant: str | None = None,
    revision: str = MAIN,
    tokenizer: Path | None = None,
    prediction: Prediction | None = None,
    dtype: torch.dtype = torch.float32,
) -> PretrainedModel:
    """The model of a folder in the Hugging Face layout, of a ``.safetensors`` or ``.ckpt`` file, or of a downloaded id.

    Folders whose weights are pickled are refused unless ``allow_pickle``; nothing is ever executed. ``variant`` such as
    ``fp16`` and the hub's ``revision`` choose between several. ``tokenizer`` is a folder, for single files, which have
    none; without it one beside the file or in the local cache is taken. ``prediction`` is for single files too, which
    seldom say it. Errors RSF-C001 to RSF-C007 name what is missing, damaged, foreign or does not fit.
    """
    path = resolve_model(model, revision)
    if path.is_dir():
        _refuse_adapters(path)
        networks = read_folder(path, variant=variant, allow_pickle=allow_pickle, dtype=dtype)
        words = tokenizer or path / TOKENIZER
    elif path.suffix.lower() in SUFFIXES:
        networks = read_single_file(path, prediction=prediction, dtype=dtype)
        words = tokenizer or _find_tokenizer(path, networks)
    else:
        raise _foreign(path)
    check_parts(networks, where=str(path))
    notes = networks.schedule.notes
    if path.is_dir() and prediction not in (None, networks.schedule.prediction):
        notes += (f"--prediction {prediction} is not followed: the scheduler says {networks.schedule.prediction}",)
    read = load_tokenizer(words, networks)
    if path.is_dir():
        check_special_ids(read, read_object(path / "text_encoder" / CONFIG), where=str(words))
    return PretrainedModel(networks, read, notes)


def _foreign(path: Path) -> RsforgeError:
    what = f"{path.name} is no folder, .safetensors or .ckpt file"
    if path.suffix != ".pt":
        return unsupported_error(what, where=str(path))
    fix = f"a model is made of a checkpoint by: rsforge diffusion export --checkpoint {shlex.quote(str(path))}"
    return RsforgeError("RSF-C004", what, where=str(path), fix=fix)


def _refuse_adapters(folder: Path) -> None:
    """RSF-C001 for the folder of adapters, such as a training of them leaves, in place of their model's."""
    if not (folder / INDEX).exists() and find_file(folder).is_file():
        what, fix = (
            "the folder holds adapters and no model",
            "name the model that they belong to, and these with --lora",
        )
        raise RsforgeError("RSF-C001", what, where=str(folder), found=find_file(folder).name, fix=fix)


def read_tokenizer(folder: Path) -> ClipTokenizer:
    """The tokenizer of a folder; RSF-C001 where there is none, RSF-C003 for one that is not CLIP's."""
    try:
        return read_clip_tokenizer(folder)
    except FileNotFoundError as error:
        what, fix = "the model has no tokenizer", "add vocab.json and merges.txt, or tokenizer.json"
        raise RsforgeError("RSF-C001", what, where=str(folder), found=str(error.strerror), fix=fix) from None
    except OSError as error:
        raise from_os_error(error) from error
    except ValueError as error:
        what, fix = "the tokenizer cannot be used", OWN_TOKENIZER
        raise RsforgeError("RSF-C003", what, where=str(folder), found=first_line(error)[:200], fix=fix) from error


def load_tokenizer(folder: Path, networks: PretrainedNetworks) -> ClipTokenizer:
    """The tokenizer of a folder for the text tower of ``networks``.

    Errors of :func:`read_tokenizer`, and RSF-C006 for that of another model.
    """
    tokenizer = read_tokenizer(folder)
    given, tower = (len(tokenizer), tokenizer.max_length), networks.text_encoder
    vocabulary, longest = tower.embeddings.token_embedding.num_embeddings, tower.max_length
    if given != (vocabulary, longest):
        found = f"{given[0]} tokens, {given[1]} in a text; the text encoder has {vocabulary} and {longest}"
        raise _foreign_tokenizer(str(folder), found)
    return tokenizer


def check_special_ids(tokenizer: ClipTokenizer, config: Mapping[str, Any], *, where: str) -> None:
    """RSF-C006 where a text encoder's ``config`` states another id of the start or the end of texts."""
    given = {"bos_token_id": tokenizer.start, "eos_token_id": tokenizer.end}
    for key, one in read_ids(config).items():
        if given[key] != one:
            raise _foreign_tokenizer(where, f"{key} {given[key]}; the text encoder has {one}")


def _foreign_tokenizer(where: str, found: str) -> RsforgeError:
    what, fix = "the tokenizer is not that of the text encoder", OWN_TOKENIZER
    return RsforgeError("RSF-C006", what, where=where, found=found, fix=fix)


def _find_tokenizer(path: Path, networks: PretrainedNetworks) -> Path:
    """The folder of a tokenizer beside a single file, else one that was downloaded."""
    for folder in (path.with_suffix(""), path.parent):
        for place in (folder / TOKENIZER, folder):
            if (place / "vocab.json").is_file() or (place / "tokenizer.json").is_file():
                return place
    ids = TOKENIZERS[str(networks.text_encoder.architecture["hidden_act"])]
    for name in ids:
        if snapshot := find_snapshot(name):
            return snapshot / TOKENIZER if (snapshot / TOKENIZER).is_dir() else snapshot
    what = "a single file holds no tokenizer, and none was found"
    fix = f"put a folder {TOKENIZER} beside the file, name one with --tokenizer, or fetch one: hf download {ids[0]}"
    raise RsforgeError("RSF-C001", what, where=str(path.parent / TOKENIZER), fix=fix)
