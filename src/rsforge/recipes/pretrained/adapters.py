"""Adapters merged into a pretrained model, and written for other programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from rsforge.data.files.digests import file_digest
from rsforge.models.low_rank import merge_updates
from rsforge.models.pretrained.adapter_names import Part
from rsforge.models.pretrained.read_adapter import find_file, read_adapter
from rsforge.models.pretrained.write_adapter import KOHYA_FILE, PEFT_FILE, Adapters, write_kohya, write_peft
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.pretrained.model import PretrainedModel

NOBODY = SilentConsole()


def merge_adapters(
    model: PretrainedModel, adapters: Iterable[tuple[Path, float]], console: Console = NOBODY
) -> list[dict[str, Any]]:
    """Add adapters, each times its weight, to the weights of ``model``; says and returns what each one is.

    Nothing is changed where one of them cannot be used; errors as :func:`read_adapter`.
    """
    networks: dict[Part, nn.Module] = {"unet": model.unet, "text_encoder": model.text_encoder}
    read = [(find_file(path), weight, read_adapter(path, networks)) for path, weight in adapters]
    records = []
    for path, weight, parts in read:
        for part, updates in parts.items():
            merge_updates(networks[part], updates, weight)
        every = [update for updates in parts.values() for update in updates.values()]
        records.append({
            "file": str(path), "sha256": file_digest(path), "weight": weight, "parts": sorted(parts),
            "layers": len(every), "ranks": sorted({update.rank for update in every}),
        })  # fmt: skip
        console.say(f"adapter    {path}, weight {weight:g}, {len(every)} layers")
    return records


def save_adapters(folder: Path, parts: Adapters) -> list[Path]:
    """Write the updates of each part of a model into ``folder``: for diffusers and peft, and for kohya's programs.

    Each file is whole or not there.
    """
    files = [folder / PEFT_FILE, folder / KOHYA_FILE]
    write_peft(files[0], parts)
    write_kohya(files[1], parts)
    return files
