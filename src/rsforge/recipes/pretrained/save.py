"""A text-to-image model as a folder that ``diffusers`` loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.clip_tokenizer import CONFIG, MERGES, SPECIALS, VOCABULARY
from rsforge.errors import RsforgeError
from rsforge.models.pretrained.folder import INDEX
from rsforge.models.pretrained.write_folder import TOKENIZER, describe_parts, list_files, write_index, write_parts
from rsforge.recipes.output_checks import check_makeable
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.training import output_dir

FILES = [*(f"{TOKENIZER}/{name}" for name in (VOCABULARY, MERGES, SPECIALS, CONFIG)), *list_files()]
"""The files of a saved model, the index last: a folder without it is no model."""


def check_free(folder: Path, *, overwrite: bool) -> None:
    """RSF-U004 where ``folder`` holds a model that may not be replaced, or files that would be mixed with a new one."""
    check_makeable(folder, "the model", "--output-dir")
    parts = {name.split("/")[0] for name in FILES if "/" in name}
    paths = [*(path for part in sorted(parts) for path in sorted(folder.glob(f"{part}/*"))), *folder.glob(INDEX)]
    present = [path.relative_to(folder).as_posix() for path in paths]
    foreign = [name for name in present if name not in FILES and not durable.is_temporary(Path(name))]
    if foreign or (present and not overwrite):
        what = f"{folder} holds files of another model" if foreign else f"{folder} holds a model already"
        fix = "name another --output-dir" if foreign else "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(foreign or present)[:160], fix=fix)


def save_folder(model: PretrainedModel, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write ``model`` as ``StableDiffusionPipeline.from_pretrained`` loads it, and return its files.

    Every file is whole or not there, and ``model_index.json``, without which nothing loads the folder, comes last.
    RSF-U004 as :func:`check_free`, RSF-C004 for a model that diffusers cannot draw from.
    """
    check_free(folder, overwrite=overwrite)
    describe(model)
    output_dir.make(folder)
    with durable.lock_folder(folder):
        return write_files(model, folder)


def describe(model: PretrainedModel) -> dict[str, dict[str, Any]]:
    """The configuration of every part by its folder; RSF-C004 for a model that diffusers cannot draw from."""
    tokenizer = model.tokenizer
    return describe_parts(model.networks, {"start": tokenizer.start, "end": tokenizer.end, "pad": tokenizer.pad})


def write_files(model: PretrainedModel, folder: Path) -> list[Path]:
    """Write ``model`` into ``folder``, which is locked by who calls, in place of one that is there."""
    networks, files = model.networks, [folder / name for name in FILES]
    configs = describe(model)
    leftovers.sweep_for(files)
    (folder / INDEX).unlink(missing_ok=True)
    output_dir.make(folder / TOKENIZER)
    model.tokenizer.save(folder / TOKENIZER)
    write_parts(networks, folder, configs)
    write_index(folder, configs["scheduler"]["_class_name"])
    return files
