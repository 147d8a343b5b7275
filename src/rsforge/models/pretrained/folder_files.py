"""Where a folder of the Hugging Face layout keeps the weights of a part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.tensor_files import TensorFile, open_pickled, open_safetensors, open_sharded

DIFFUSERS = "diffusion_pytorch_model"
TRANSFORMERS = "model"
PICKLED = {DIFFUSERS: "diffusion_pytorch_model", TRANSFORMERS: "pytorch_model"}


def open_part(folder: Path, stem: str, *, variant: str | None = None, allow_pickle: bool = False) -> TensorFile:
    """The weights of a part: safetensors before pickles, one file before several, ``variant`` before none.

    Without ``variant`` the one that there is will do where no file is without. RSF-C001 where there are none or where
    several variants leave the choice open; RSF-C003 where they are pickled and that is not allowed.
    """
    path = _find_safetensors(folder, stem, variant)
    if path is not None:
        return open_sharded(path, open_safetensors) if path.suffix == ".json" else open_safetensors(path)
    path = _find_pickled(folder, PICKLED[stem], variant)
    if path is None:
        raise _missing(folder, stem, variant)
    if not allow_pickle:
        what, fix = "the weights are pickled", "use a model in safetensors, or allow it with --allow-pickle"
        raise RsforgeError("RSF-C003", what, where=str(path), fix=fix)
    return open_sharded(path, open_pickled) if path.suffix == ".json" else open_pickled(path)


def _find_safetensors(folder: Path, stem: str, variant: str | None) -> Path | None:
    """The file or the index, the given variant first, then that without, then the only one."""
    suffix = ".safetensors"
    for mark in (f".{variant}", "") if variant else ("",):
        for name in (f"{stem}{mark}{suffix}", f"{stem}{suffix}.index{mark}.json"):
            if (folder / name).exists():
                return folder / name
    others = list_variants(folder, stem)
    if len(others) > 1 and variant is None:
        what = "there are several variants of the weights, and none is the plain one"
        raise RsforgeError(
            "RSF-C001",
            what,
            where=str(folder),
            found=", ".join(others),
            fix="choose one with --variant, or leave one alone there",
        )
    return _find_safetensors(folder, stem, others[0]) if len(others) == 1 and variant is None else None


def list_variants(folder: Path, stem: str) -> list[str]:
    """The marks, such as ``fp16``, of the variants that a part has in safetensors."""
    files = [path.name.removeprefix(f"{stem}.").removesuffix(".safetensors") for path in folder.glob(f"{stem}.*")
             if path.suffix == ".safetensors"]  # fmt: skip
    indices = [path.name.split(".")[-2] for path in folder.glob(f"{stem}.safetensors.index.*.json")]
    return sorted({mark.split("-")[0] for mark in (*files, *indices) if mark != "safetensors"})


def check_variant(parts: Mapping[Path, str], variant: str) -> None:
    """RSF-C001 where no part has weights of ``variant``: the plain ones would be taken for all; ``parts`` are stems."""
    for folder, stem in parts.items():
        for one in (stem, PICKLED[stem]):
            if any(folder.glob(f"{one}.{variant}[.-]*")) or any(folder.glob(f"{one}.*.index.{variant}.json")):
                return
    found = sorted({mark for folder, stem in parts.items() for mark in list_variants(folder, stem)})
    raise RsforgeError(
        "RSF-C001", f"no part of the model has a variant {variant}", where="--variant",
        found=f"variants {', '.join(found)}" if found else "plain weights alone", fix="leave --variant out",
    )  # fmt: skip


def _find_pickled(folder: Path, stem: str, variant: str | None) -> Path | None:
    for mark in (f".{variant}", "") if variant else ("",):
        for name in (f"{stem}{mark}.bin", f"{stem}.bin.index{mark}.json"):
            if (folder / name).exists():
                return folder / name
    return None


def _missing(folder: Path, stem: str, variant: str | None) -> RsforgeError:
    wanted = f"{stem}{f'.{variant}' if variant else ''}.safetensors"
    found = "no such folder" if not folder.is_dir() else f"it holds {', '.join(_list_names(folder)) or 'nothing'}"
    fix = "name the folder of a complete model"
    return RsforgeError("RSF-C001", f"{folder.name}/{wanted} not found", where=str(folder), found=found[:200], fix=fix)


def _list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
