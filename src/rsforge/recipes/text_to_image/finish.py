"""What a fine-tuning leaves beside its checkpoints: the model or its adapters, a card, and what is sent to the hub."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, Protocol

from rsforge import leftovers
from rsforge.engine import checkpoint
from rsforge.engine.checkpoint_writer import list_periodic
from rsforge.models.pretrained.adapter_names import UNET
from rsforge.models.pretrained.hub_cache import ID
from rsforge.models.pretrained.write_adapter import PEFT_FILE, write_kohya, write_peft
from rsforge.recipes.console import Console
from rsforge.recipes.pretrained import save
from rsforge.recipes.pretrained.adapters import save_adapters
from rsforge.recipes.pretrained.export_model import (
    CARD,
    EXPORTED,
    PROVENANCE,
    begin_documents,
    describe_adapter,
    describe_provenance,
    is_edited,
    write_documents,
)
from rsforge.recipes.pretrained.hub_upload import push_folder
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.pretrained.model_card import ModelFacts, write_adapter_card, write_card
from rsforge.recipes.text_to_image.base_model import PRETRAINED, BaseModel
from rsforge.recipes.text_to_image.load import KIND, rebuild_adapter
from rsforge.recipes.text_to_image.output_names import (
    ADAPTER_FILES,
    ADAPTERS,
    FINETUNE,
    KOHYA,
    PEFT,
    PUSHED_ADAPTER,
)
from rsforge.recipes.text_to_image.trained_part import choose_trained, read_weights
from rsforge.recipes.training.run import VERDICT
from rsforge.settings.finetune import FinetuneSettings

TOLD = ("adapter", "denoiser", "loop", "optim", "average")
"""The settings of a training that a card has: those without paths, and ``TOLD_ALONE`` of sections that have some."""
TOLD_ALONE = {"data": "image_size", "run": "seed"}
DATA = ("train", "held_out", "test", "split", "captions")
"""What a checkpoint says of its images that a card has."""


class HasBase(Protocol):
    """The data of a training that know the model which it began with."""

    @property
    def base(self) -> BaseModel: ...


def write_product(settings: FinetuneSettings, data: HasBase, best: Path, console: Console) -> dict[str, Any]:
    """Write what was trained, with the weights of ``best``, and its card into the output folder."""
    folder, base = settings.run.output_dir, data.base
    if is_edited(folder):
        what = "is not as rsforge wrote it and stays: remove it, and --resume writes one of this model"
        console.warn(f"{folder / CARD} {what}")
    if settings.adapter.lora_rank is not None:
        return write_adapter(base.model, best, folder, console)
    return write_model(base.model, best, folder, console, learns_texts=base.learns_texts)


def write_model(
    model: PretrainedModel, best: Path, folder: Path, console: Console, *, learns_texts: bool
) -> dict[str, Any]:
    """Write ``model`` with the weights of ``best`` into ``folder``, as diffusers loads it, with its card."""
    state = checkpoint.load(best, kind=KIND)
    read_weights(choose_trained(model, text_encoder=learns_texts), state, best)
    facts = describe_run(state, best, folder)
    begin_documents(folder)
    write_documents(folder, write_card(facts, model.networks), describe_provenance(model, facts))
    save.write_files(model, folder)
    console.say(f"pipeline   {folder}, with the weights of {best.name}")
    return {"pipeline": str(folder)}


def write_adapter(model: PretrainedModel, best: Path, folder: Path, console: Console) -> dict[str, Any]:
    """Write the adapters of ``best`` into ``folder``, for all programs, with their card."""
    state = checkpoint.load(best, kind=KIND)
    adapter = rebuild_adapter(state, best)
    leftovers.sweep_for([folder / name for name in PUSHED_ADAPTER])
    facts = describe_run(state, best, folder)
    begin_documents(folder)
    write_documents(folder, write_adapter_card(facts, adapter.rank), describe_adapter(adapter, model, facts))
    files = save_adapters(folder, {UNET: adapter.updates()})
    console.say(f"adapters   {' and '.join(ADAPTER_FILES)} in {folder}, with the weights of {best.name}")
    return {"adapters": [str(file) for file in files]}


def publish(
    settings: FinetuneSettings, data: HasBase, best: Path, judged: Mapping[str, Any], console: Console
) -> dict[str, Any]:
    """Write what was ``judged`` into the card and the provenance, and send all to the hub where that is asked."""
    folder, hub = settings.run.output_dir, settings.hub
    if judged:
        add_figures(settings, data.base.model, best, judged)
    if hub.push_to_hub is None:
        return {}
    files = EXPORTED if settings.adapter.lora_rank is None else PUSHED_ADAPTER
    return {"pushed": push_folder(folder, hub.push_to_hub, files, private=hub.hub_private, console=console)}


def add_figures(settings: FinetuneSettings, model: PretrainedModel, best: Path, judged: Mapping[str, Any]) -> None:
    """Renew the documents that ``write_product`` has written, with figures; no weights are read or digested again."""
    folder, rank = settings.run.output_dir, settings.adapter.lora_rank
    figures = {**judged["judged"], VERDICT: judged[VERDICT]}
    facts = replace(describe_run(checkpoint.load_metadata(best), best, folder), metrics=figures)
    card = write_card(facts, model.networks) if rank is None else write_adapter_card(facts, rank)
    provenance = json.loads((folder / PROVENANCE).read_bytes())
    write_documents(folder, card, provenance | {"metrics": figures})


def accompany_checkpoints(folder: Path) -> None:
    """Write the adapters of periodic checkpoints of ``folder`` that have none yet; remove those of deleted ones."""
    places = {path.stem: path for path in list_periodic(folder, FINETUNE.names)}
    own = folder / ADAPTERS
    own.mkdir(exist_ok=True)
    leftovers.sweep(own)
    wanted = {own / f"{stem}{end}" for stem in places for end in (PEFT, KOHYA)}
    for stem, path in places.items():
        if not all((own / f"{stem}{end}").is_file() for end in (PEFT, KOHYA)):
            updates = {UNET: rebuild_adapter(checkpoint.load(path, kind=KIND), path).updates()}
            write_peft(own / f"{stem}{PEFT}", updates)
            write_kohya(own / f"{stem}{KOHYA}", updates)
    for file in own.glob(f"*{PEFT}"):
        if file not in wanted:
            file.unlink()


def describe_run(state: Mapping[str, Any], path: Path, folder: Path) -> ModelFacts:
    """The facts of the card of a model that has just been trained, from its checkpoint at ``path``."""
    told = read_training(state)
    return ModelFacts(title=folder.resolve().name, **told | {"source": {"checkpoint": path.name} | told["source"]})


def read_training(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its training that a card has: settings, data and the model that it began with.

    Of files and folders it has the names alone.
    """
    stored = state.get("settings", {})
    sections = (stored.get(name, {}) for name in TOLD)
    settings = {name: value for section in sections for name, value in section.items() if not name.endswith("_dir")}
    settings |= {name: stored[part][name] for part, name in TOLD_ALONE.items() if name in stored.get(part, {})}
    settings |= {"steps": state.get("progress", {}).get("step")}
    return {"settings": settings, "data": _read_data(state), **_read_base(state)}


def _read_data(state: Mapping[str, Any]) -> dict[str, Any]:
    images, place = state.get("images", {}), state.get("settings", {}).get("data", {}).get("data_dir", "")
    return _name("folder", place) | {name: images[name] for name in DATA if name in images}


def _name(key: str, place: str) -> dict[str, str]:
    """The last part of a path under ``key``; nothing where it has none, as ``..``."""
    last = PurePath(place).name.strip(".") and PurePath(place).name
    return {key: last} if last else {}


def _read_base(state: Mapping[str, Any]) -> dict[str, Any]:
    """The name and the digest of the pretrained model, if there was one, and its id where it was named by that."""
    partner = state.get("partners", {}).get(PRETRAINED)
    if partner is None:
        return {"source": {}}
    begun = str(state.get("settings", {}).get("model", {}).get("pretrained_model"))
    # A path has been resolved to itself, an id to a folder of the cache.
    by_id = ID.fullmatch(begun) is not None and partner["path"] != begun
    named = {"pretrained_model": begun} if by_id else _name("pretrained_model", partner["path"])
    source = named | {"pretrained_sha256": partner["digest"]}
    return {"source": source} | ({"base_model": begun} if by_id else {})


def next_command(settings: FinetuneSettings, best: Path) -> str:
    """Draw the validation prompt with what was trained."""
    folder, options = settings.run.output_dir, settings.model
    words = ["--pipeline", str(folder)]
    if settings.adapter.lora_rank is not None:
        words = ["--pipeline", str(options.pretrained_model), "--lora", str(folder / PEFT_FILE)]
        words += ["--image-size", str(settings.data.image_size)]
        given = {"--tokenizer": options.tokenizer, "--variant": options.variant, "--prediction": options.prediction}
        words += [str(word) for pair in given.items() if pair[1] is not None for word in pair]
        words += ["--allow-pickle"] if options.allow_pickle else []
    return shlex.join(["rsforge", "sample", *words, "--prompt", settings.shown.validation_prompt])
