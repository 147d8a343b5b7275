"""A text-to-image model exported: the folder that diffusers loads, its model card, and how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rsforge import __version__, durable, leftovers
from rsforge.engine.checkpoint import digest_weights
from rsforge.errors import RsforgeError
from rsforge.models.pretrained.folder import INDEX
from rsforge.recipes.pretrained import save
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.pretrained.model_card import ModelFacts, write_card
from rsforge.recipes.pretrained.save import FILES, check_free, save_folder
from rsforge.recipes.training import output_dir

CARD = "README.md"
PROVENANCE = "rsforge.json"
DOCUMENTS = (CARD, PROVENANCE)
SEAL = "\n<!-- written by rsforge, SHA-256 of what stands above: {} -->\n"
EXPORTED = [*DOCUMENTS, *FILES]
"""The files of an exported model, the index last: a folder without it is no model."""


def check_place(folder: Path, *, overwrite: bool) -> None:
    """RSF-U004 where ``folder`` holds what may not be replaced; RSF-E002 or RSF-E008 where it cannot be written."""
    check_free(folder, overwrite=overwrite)
    present = [name for name in DOCUMENTS if (folder / name).exists()]
    if present and not overwrite:
        what, fix = f"{folder} holds {present[0]} already", "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(present), fix=fix)


def export_model(model: PretrainedModel, folder: Path, facts: ModelFacts, *, overwrite: bool = False) -> list[Path]:
    """Write ``model`` with its card and its provenance, and return the files.

    Every file is whole or not there, and ``model_index.json``, without which nothing loads the folder, comes last.
    Errors as :func:`check_place` and :func:`rsforge.recipes.pretrained.save.describe`.
    """
    check_place(folder, overwrite=overwrite)
    save.describe(model)
    output_dir.make(folder)
    with durable.lock_folder(folder):
        begin_documents(folder)
        write_documents(
            folder, write_card(facts, model.networks), describe_provenance(model, facts), overwrite=overwrite
        )
    return [*(folder / name for name in DOCUMENTS), *save_folder(model, folder, overwrite=True)]


def begin_documents(folder: Path) -> None:
    """Make ``folder``, locked by who calls, ready for the documents of another model: that of before goes first."""
    leftovers.sweep_for([folder / name for name in DOCUMENTS])
    (folder / INDEX).unlink(missing_ok=True)  # no model of before stands beside the documents of this one


def write_documents(folder: Path, card: str, provenance: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Write the card, sealed, and the provenance of the model of ``folder``, locked by who calls.

    A card that a person wrote or changed stays, unless ``overwrite`` says that it goes.
    """
    if overwrite or not is_edited(folder):
        durable.write_text(folder / CARD, seal(card))
    durable.write_json(folder / PROVENANCE, provenance)


def seal(card: str) -> str:
    """The card with a comment at its end, its own digest, by which a later run tells whether a person changed it."""
    return f"{card}{SEAL.format(hashlib.sha256(card.encode()).hexdigest())}"


def is_edited(folder: Path) -> bool:
    """Whether the card of ``folder`` is not to the letter what rsforge wrote.

    That of a former version has no seal, and may be edited.
    """
    try:
        text = (folder / CARD).read_bytes().decode()
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return True
    return text != seal(text[: -len(seal(""))])


def describe_provenance(model: PretrainedModel, facts: ModelFacts) -> dict[str, Any]:
    """What ``rsforge.json`` says: where the model came from, and the digests of its weights by part."""
    return _describe(digest_parts(model), facts, model.notes)


def describe_adapter(adapter: nn.Module, model: PretrainedModel, facts: ModelFacts) -> dict[str, Any]:
    """The same of adapters, with the digests of the parts of ``model`` that they were trained on."""
    return _describe({"adapter": digest_weights(adapter.state_dict())}, facts) | {"trained_on": digest_parts(model)}


def digest_parts(model: PretrainedModel) -> dict[str, str]:
    """The digests of the weights by part."""
    parts = {"unet": model.unet, "vae": model.autoencoder, "text_encoder": model.text_encoder}
    return {name: digest_weights(network.state_dict()) for name, network in parts.items()}


def _describe(weights: Mapping[str, str], facts: ModelFacts, notes: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "made_by": f"rsforge {__version__}",
        "torch": torch.__version__,
        "source": dict(facts.source),
        "adapters": [dict(one) for one in facts.adapters],
        "weights": dict(weights),
        "settings": dict(facts.settings),
        "metrics": dict(facts.metrics),
        "datasets": list(facts.datasets),
        "data": dict(facts.data),
        "license": facts.license,
        "data_license": facts.data_license,
        "base_model": facts.base_model,
        "notes": list(notes),
    }
