"""``rsforge diffusion export``: a text-to-image model as the folder that other programs load."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError, from_os_error
from rsforge.models.pretrained.hub_cache import ID, resolve_model
from rsforge.recipes.console import Console
from rsforge.recipes.export.formats import FORMATS
from rsforge.recipes.pretrained import save
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.export_model import EXPORTED, PROVENANCE, check_place, export_model
from rsforge.recipes.pretrained.export_programs import check_programs, list_programs, write_programs
from rsforge.recipes.pretrained.hub_upload import check_push, push_folder
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.pretrained.model_card import ModelFacts
from rsforge.recipes.pretrained.open import open_pretrained
from rsforge.recipes.text_to_image.finish import read_training
from rsforge.recipes.text_to_image.load import KIND, load_model
from rsforge.recipes.text_to_image.output_names import PUSHED_ADAPTER
from rsforge.settings.diffusion_export import DiffusionExportSettings

MOST_BYTES = 2**20
FACTS = {
    "settings": dict,
    "metrics": dict,
    "datasets": list,
    "data": dict,
    "license": str,
    "data_license": str,
    "base_model": str,
}
"""What is taken over from an earlier export, with its type."""
EVALUATED = ("figures", "validation_loss", "side", "interval", "protocol")
"""What is taken of the result of an evaluation, whose other entries are paths and notes."""
# Why checkpoints of each kind cannot become a Stable Diffusion folder, and what exports them.
REFUSED = {
    "diffusion": ("it draws without a text, which StableDiffusionPipeline cannot", "draw from it with rsforge sample"),
    "diffusion-sar": (
        "it draws from SAR images, which StableDiffusionPipeline has no input for", "draw with rsforge sample single",
    ),
    "vae": ("it is an autoencoder alone", "export it with rsforge vae export"),
    "cyclegan": ("it is a generator that translates images", "export it with rsforge cyclegan export"),
}  # fmt: skip


def export(settings: DiffusionExportSettings, console: Console) -> dict[str, Any]:
    """Write the model, adapters merged into it, with a model card and its provenance."""
    name = settings.hub.push_to_hub
    if name is not None:
        check_push(name, settings.output_dir)
        if finished := list_finished(settings):
            return push_finished(settings, finished, console)
    check_place(settings.output_dir, overwrite=settings.overwrite)
    metrics = read_metrics(settings.metrics)
    model, facts = open_model(settings, metrics, console)
    save.describe(model)
    formats = tuple(dict.fromkeys(settings.formats))
    check_programs(model, settings.output_dir, formats, overwrite=settings.overwrite)
    files = [*EXPORTED, *list_programs(formats)]
    result = {
        "output_dir": str(settings.output_dir), "files": files, "adapters": list(facts.adapters),
        "parameters": _count(model), "image_size": model.image_size,
    }  # fmt: skip
    if console.dry_run:
        return result
    export_model(model, settings.output_dir, facts, overwrite=settings.overwrite)
    if formats:
        result["largest_difference"] = _write_programs(model, settings.output_dir, formats, console)
    if name is not None:
        result["pushed"] = _push(settings, files, console)
    return result


def _write_programs(
    model: PretrainedModel, folder: Path, formats: Sequence[str], console: Console
) -> dict[str, dict[str, float]]:
    try:
        return write_programs(model, folder, formats, console)
    except RsforgeError as error:
        error.kept = f"the model in {folder}, without the programs that are missing there"
        raise


def list_finished(settings: DiffusionExportSettings) -> list[str]:
    """The files of the output folder, where it is the model itself or adapters, made before, with nothing to merge."""
    pipeline, folder = settings.pipeline, settings.output_dir
    if pipeline is None or settings.lora or pipeline.resolve() != folder.resolve():
        return []
    # The index of a model decides: adapters of its run may lie beside it.
    kinds = (EXPORTED, PUSHED_ADAPTER)
    found = next((list(files) for files in kinds if all((folder / name).is_file() for name in files)), [])
    return found + [name for name in list_programs(tuple(FORMATS)) if found and (folder / name).is_file()]


def push_finished(settings: DiffusionExportSettings, files: list[str], console: Console) -> dict[str, Any]:
    """Send what the output folder holds, as it is."""
    result: dict[str, Any] = {"output_dir": str(settings.output_dir), "files": files}
    if console.dry_run:
        return result
    console.say(f"there      {settings.output_dir} holds what is sent; it and its card stay as they are")
    return result | {"pushed": _push(settings, files, console)}


def _push(settings: DiffusionExportSettings, files: list[str], console: Console) -> dict[str, Any]:
    name, private = settings.hub.push_to_hub, settings.hub.hub_private
    assert name is not None  # as who calls has seen to
    return push_folder(settings.output_dir, name, files, private=private, console=console)


def open_model(
    settings: DiffusionExportSettings, metrics: Mapping[str, Any], console: Console
) -> tuple[PretrainedModel, ModelFacts]:
    """The model of the settings, adapters merged into it, and what its card is to say."""
    if settings.checkpoint is not None:
        model, stored = open_checkpoint(settings.checkpoint)
        adapters = merge_adapters(model, settings.adapters, console)
        return model, describe(settings, settings.checkpoint, adapters, metrics, stored)
    assert settings.pipeline is not None  # as the settings see to
    model, adapters = open_pretrained(settings.pipeline, settings, torch.device("cpu"), console)
    stored = read_provenance(resolve_model(str(settings.pipeline), settings.revision))
    return model, describe(settings, settings.pipeline, adapters, metrics, stored)


def open_checkpoint(path: Path) -> tuple[PretrainedModel, dict[str, Any]]:
    """The model of a checkpoint of ``diffusion finetune``, and how it was trained; RSF-C004 for other kinds."""
    state = checkpoint.load_metadata(path)
    if state.get("kind") != KIND:
        raise refuse_checkpoint(path, str(state.get("kind")))
    return load_model(path), read_training(state)


def refuse_checkpoint(path: Path, kind: str) -> RsforgeError:
    """RSF-C004 for a checkpoint that is no model of texts, by its kind."""
    reason, fix = REFUSED.get(kind, ("it is no model that draws images from texts", "name one with --pipeline"))
    what = f"a checkpoint of kind {kind} cannot be exported: {reason}"
    return RsforgeError("RSF-C004", what, where=str(path), fix=fix)


def describe(
    settings: DiffusionExportSettings,
    source: Path,
    adapters: list[dict[str, Any]],
    metrics: Mapping[str, Any],
    stored: Mapping[str, Any],
) -> ModelFacts:
    """The facts of the card: what the settings say, and what is ``stored`` in the ``source`` of the model.

    Of files of this machine it has the names alone: cards are published, and paths tell of people.
    """
    is_id = ID.fullmatch(str(source)) is not None and not source.exists()
    name = str(source) if is_id else source.resolve().name
    if settings.checkpoint is None:
        made_from = {"pipeline": name} | ({"provenance": stored} if stored else {})
    else:
        rank = stored["settings"].get("lora_rank")
        merged = {"merged": f"low-rank adapters (LoRA) of rank {rank}"} if rank else {}
        made_from = {"checkpoint": name} | stored["source"] | merged
    return ModelFacts(
        title=settings.title or settings.output_dir.resolve().name,
        source=made_from,
        adapters=[one | {"file": Path(one["file"]).name} for one in adapters],
        settings=stored.get("settings", {}),
        metrics=metrics or stored.get("metrics", {}),
        datasets=settings.datasets or [str(name) for name in stored.get("datasets", ())],
        data=stored.get("data", {}),
        license=settings.license or stored.get("license"),
        data_license=settings.data_license or stored.get("data_license"),
        base_model=settings.base_model or stored.get("base_model") or (name if is_id else None),
    )


def read_provenance(path: Path) -> dict[str, Any]:
    """What an earlier export wrote of itself; nothing where there is none, or none that can be read."""
    file = path / PROVENANCE
    try:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            return {}
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    known = value.items() if isinstance(value, dict) else ()
    return {name: one for name, one in known if isinstance(one, FACTS.get(name, object))}


def read_metrics(path: Path | None) -> dict[str, Any]:
    """The figures of a JSON file. RSF-E008 where it cannot be read, RSF-D006 where it is no JSON object."""
    if path is None:
        return {}
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise from_os_error(error) from error
    except (ValueError, RecursionError) as error:
        raise RsforgeError("RSF-D006", f"{path.name} is no JSON", where=str(path), found=str(error)[:160]) from error
    if not isinstance(value, dict):
        found = type(value).__name__
        raise RsforgeError("RSF-D006", f"{path.name} holds no figures by name", where=str(path), found=found)
    return {name: value[name] for name in EVALUATED if name in value} if EVALUATED[0] in value else value


def _count(model: PretrainedModel) -> int:
    networks = (model.unet, model.autoencoder, model.text_encoder)
    return sum(p.numel() for network in networks for p in network.parameters())
