"""A run's output folder: whether it may be used, what to go on from, what is written beside the weights."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rsforge import durable, leftovers
from rsforge.engine.checkpoint_writer import list_newest_first
from rsforge.errors import RsforgeError, from_os_error
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.tracking.run_record import write_record
from rsforge.recipes.training.resume import ResumePoint, find_newest, open_named
from rsforge.settings.base import RunSettings

RESUMING = ("--resume", "--resume-from", "--checkpoint")
HOW_IT_WAS_CALLED = ("resume", "overwrite")
BEFORE_ANY_STEP = {durable.LOCK, output_names.SETTINGS, output_names.ENDING, *output_names.CACHES}
"""What a run leaves that ended before its first step: the next one takes their place."""

FIX_WITHOUT_CHECKPOINT = (
    "replace with --overwrite what is there, or name another --output-dir; it holds no checkpoint to resume from"
)


def find_state(run: RunSettings, own: OutputLayout, *, kind: str, console: Console) -> ResumePoint | None:
    """What to go on from, or None for a fresh start; RSF-U004 when the folder holds what neither allows."""
    folder = run.output_dir
    if run.resume is None:
        _refuse_occupied(folder, own, overwrite=run.overwrite)
        return None
    if run.resume == "auto":
        return find_newest(folder, own, kind=kind, console=console)
    path = Path(run.resume)
    own_folder = own.names.run_folder(path)
    if own_folder.resolve() != folder.resolve():
        raise RsforgeError(
            "RSF-U005", "a run goes on in its own folder", where="--resume, --output-dir",
            found=f"{path} and {folder}", fix=f"use --output-dir {own_folder}, or a copy of that folder",
        )  # fmt: skip
    return open_named(path, own, kind=kind, console=console)


def _refuse_occupied(folder: Path, own: OutputLayout, *, overwrite: bool) -> None:
    if folder.is_dir() and not overwrite:
        present = (p for p in folder.iterdir() if not durable.is_temporary(p))
        taken = [p for p in present if p.is_file() or p.name in own.folders]
        files = sorted(p.name for p in taken if p.name not in BEFORE_ANY_STEP and not _is_empty(p))
        if files:
            resumable = list_newest_first(folder, own.names)
            raise RsforgeError(
                "RSF-U004", f"the output folder {folder} is not empty", where="--output-dir",
                found=", ".join(files[:4]), fix="" if resumable else FIX_WITHOUT_CHECKPOINT,
            )  # fmt: skip


def _is_empty(path: Path) -> bool:
    """Whether a folder holds nothing, or a file is a journal that no step has reached."""
    return not any(path.iterdir()) if path.is_dir() else path.name == output_names.JOURNAL and not path.stat().st_size


def resume_hint(console: Console) -> str:
    """The command that goes on with this run from its newest checkpoint."""
    words, kept = iter(shlex.split(console.command)), []
    for word in words:
        name = word.replace("_", "-")
        if name in RESUMING:
            following = next(words, "--")
            kept += [] if not following.startswith("-") else [following] * (following != "--")
        elif name != "--overwrite" and not name.startswith(tuple(f"{r}=" for r in RESUMING)):
            kept.append(word)
    return shlex.join([*kept, "--resume"])


def check_apart(run: RunSettings, own: OutputLayout, data_dir: str) -> None:
    """RSF-U005 when the images lie where this run keeps its own pictures, which --overwrite would remove."""
    data = Path(data_dir).resolve()
    for kept in ((run.output_dir / name).resolve() for name in own.folders):
        if data == kept or kept in data.parents:
            raise RsforgeError(
                "RSF-U005",
                "the images lie among this run's own files",
                where="--data-dir, --output-dir",
                found=str(kept),
            )


def plain(settings: BaseModel) -> dict[str, Any]:
    """Settings as a checkpoint holds them: without what says how the run was called, not what it is."""
    tree: dict[str, Any] = settings.model_dump(mode="json")
    if "run" in tree:
        tree["run"] |= {name: None if name == "resume" else False for name in HOW_IT_WAS_CALLED}
    return tree


def prepare(run: RunSettings, own: OutputLayout, settings: BaseModel, console: Console, *, fresh: bool) -> None:
    """Clear and describe the folder, which is held by this process's lock."""
    folder = run.output_dir
    _refuse_links(folder, own)
    leftovers.sweep(folder)
    if fresh:
        # Judged again under the lock: another run may have come and gone while the images were read.
        _refuse_occupied(folder, own, overwrite=run.overwrite)
        own.clear(folder)
    for name in filter(None, (own.samples, own.reconstructions, own.names.periodic)):
        (folder / name).parent.mkdir(exist_ok=True)
    write_record(folder, plain(settings), console, fresh=fresh)


def _refuse_links(folder: Path, own: OutputLayout) -> None:
    """RSF-E008 where a folder of this run is a link: what lies behind it belongs to somebody else."""
    linked = [name for name in (*own.folders, output_names.JOURNAL) if (folder / name).is_symlink()]
    if linked:
        what = f"{linked[0]} is a link, where a run keeps files of its own"
        raise RsforgeError(
            "RSF-E008", what, where=str(folder / linked[0]), fix="remove the link, or link the whole run"
        )


def make(folder: Path) -> None:
    """Create ``folder`` and see that it can be written, before any work; RSF-E002, E008."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        leftovers.sweep_for([folder / "probe"])
        probe = folder / f"{durable.TEMPORARY}{os.getpid()}-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        if not error.filename or durable.TEMPORARY in str(error.filename):
            error.filename = str(folder)
        raise from_os_error(error) from error


@contextlib.contextmanager
def record_ending(folder: Path) -> Iterator[None]:
    """Write the code and the words of an error that ends the run; a run that begins has no ending yet."""
    (folder / output_names.ENDING).unlink(missing_ok=True)
    try:
        yield
    except RsforgeError as error:
        with contextlib.suppress(OSError):
            durable.write_json(
                folder / output_names.ENDING, {"code": error.code, "message": error.what, "where": error.where}
            )
        raise


def read_ending(folder: Path) -> str:
    """The code that the last run in ``folder`` ended with; empty when it ended well or was killed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return str(json.loads((folder / output_names.ENDING).read_text("utf-8")).get("code", ""))
    return ""
