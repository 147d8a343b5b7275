"""What a run to go on with says of itself before it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rsforge.engine import checkpoint
from rsforge.engine.checkpoint_writer import newest
from rsforge.errors import RsforgeError
from rsforge.recipes.output_names import OutputLayout

DAMAGED = ("RSF-C001", "RSF-C002")


class HasCheckpoints(Protocol):
    """A method, as far as its checkpoints can be found: their kind and the names of its files."""

    @property
    def kind(self) -> str: ...
    @property
    def outputs(self) -> OutputLayout: ...


class StoredSettings(NamedTuple):
    """The settings of a checkpoint by section, and the flat names of those that somebody chose; None where not kept."""

    path: Path
    settings: dict[str, Any]
    given: frozenset[str] | None = None


def stored_settings(method: HasCheckpoints, folder: Path, resume: str) -> StoredSettings:
    """What the checkpoint says that ``resume`` names, or for ``auto`` the newest sound one of ``folder``.

    The weights are not read. RSF-C001 where there is none, C002 to C005 where it cannot be used.
    """
    if resume != "auto":
        return _settings(method, Path(resume))
    failure = nothing_to_resume(folder)
    for path in candidates(folder, method.outputs):
        try:
            return _settings(method, path)
        except RsforgeError as error:
            if error.code not in DAMAGED:
                raise
            failure = error
    raise failure


def _settings(method: HasCheckpoints, path: Path) -> StoredSettings:
    state = checkpoint.load_metadata(path, kind=method.kind)
    checkpoint.require(state, ("settings",), where=str(path))
    given = frozenset(state["given"]) if "given" in state else None
    return StoredSettings(path, state["settings"], given)


def candidates(folder: Path, outputs: OutputLayout) -> Iterator[Path]:
    """The checkpoints of ``folder`` to resume from: the newest by its name, the periodic ones by age, the best."""
    first = newest(folder, outputs.names)
    if first is None:
        return
    periodic = [p for p in folder.glob("*.pt") if outputs.names.pattern().fullmatch(p.name)]
    others = sorted(periodic, key=lambda p: p.stat().st_mtime_ns, reverse=True)
    yield from dict.fromkeys([first, *others, folder / outputs.names.best])


def nothing_to_resume(folder: Path) -> RsforgeError:
    """RSF-C001: no checkpoint in ``folder``."""
    fix = "leave out --resume to start, or name the checkpoint"
    return RsforgeError("RSF-C001", f"no checkpoint to resume from in {folder}", where=str(folder), fix=fix)
