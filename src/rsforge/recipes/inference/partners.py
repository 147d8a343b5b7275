"""Where the models lie that a checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsforge.recipes.stored_partners import COPIES


def partner_files(checkpoint: Path, state: Mapping[str, Any], role: str, stored: str) -> Iterator[Path]:
    """The files that may be the partner of this ``role``, those that are there, the nearest first.

    Copies beside the checkpoint, a file of the partner's own name there, then ``stored``, where the partner was when
    the model was trained: from the folder that the run was started in, should the whole have moved, and from here.
    """
    folder, name = checkpoint.parent, Path(stored).name
    candidates = [folder / COPIES / f"{role}.pt", folder / name, root_of_run(folder, state) / stored, Path(stored)]
    seen = {checkpoint.resolve()}
    for path in candidates:
        if stored and path.is_file() and path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


def root_of_run(folder: Path, state: Mapping[str, Any]) -> Path:
    """The folder that the run of a checkpoint was started in, as far as its own folder shows."""
    output = Path(state["settings"]["run"]["output_dir"])
    parts, tail = folder.resolve().parts, output.parts
    if output.is_absolute() or parts[len(parts) - len(tail) :] != tail:
        return folder
    return Path(*parts[: len(parts) - len(tail)])
