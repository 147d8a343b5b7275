"""The models that a method builds on: what its checkpoints say of them, and copies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.stored_partners import COPIES, stored_partners
from rsforge.recipes.training.job import Partner
from rsforge.settings.base import RunSettings

NAMES = {"vae": "autoencoder", "clip": "text encoder", "pretrained": "pretrained model"}
"""What the user calls a partner, by its role; others by the role itself."""


def describe(partners: Mapping[str, Partner]) -> dict[str, dict[str, str]]:
    """``{role: {digest, path}}``, as checkpoints hold it."""
    return {role: {"digest": one.digest, "path": str(one.path)} for role, one in partners.items()}


def copy(partners: Mapping[str, Partner], output: Path) -> None:
    """Copy each partner's checkpoint into the run folder, which can be moved or kept without the other then."""
    for role, one in partners.items():
        target = output / COPIES / f"{role}.pt"
        target.parent.mkdir(exist_ok=True)
        if not (target.exists() and target.samefile(one.path)):  # a resumed run may build on the copy itself
            durable.copy_file(one.path, target)


def locate(role: str, path: Path, run: RunSettings, console: Console, *others: Path) -> Path:
    """The partner's checkpoint: ``path``, or where a run goes on without it the copy in its folder, or ``others``."""
    candidates = [one for one in (run.output_dir / COPIES / f"{role}.pt", *others) if one.is_file()]
    if run.resume is None or path.exists() or not candidates:
        return path
    console.say(f"using      {candidates[0]}: {path} is gone")
    return candidates[0]


def check_same(state: Mapping[str, Any], partners: Mapping[str, Partner]) -> None:
    """RSF-C006 where the run to resume was trained with other partners."""
    stored = stored_partners(state)
    for role, one in partners.items():
        name = NAMES.get(role, role)
        if role in stored and stored[role]["digest"] != one.digest:
            raise RsforgeError(
                "RSF-C006", f"the run to resume was trained with another {name}", where=str(one.path),
                found=f"weights {one.digest[:12]}, trained with {stored[role]['digest'][:12]}",
                fix=f"name the {name} that it was trained with",
            )  # fmt: skip
