"""``rsforge data synth``: a drawn world in a folder, the same from the same seed."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.data.io.safe_paths import inside
from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.data.synthetic import write_captions, write_cube, write_pairs, write_scene, write_tiles
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.data_synth import SynthSettings

NOTE = ".world.json"  # what an unfinished world is: its card comes last


@dataclass(frozen=True)
class World:
    """One kind of world: its card, its usual count, the names and the making of its files, what to do with it."""

    card: str
    count: int
    files: Callable[[int], list[str]]
    write: Callable[..., Iterator[int]]
    then: str
    facts: dict[str, Any]


_GREY = {"radiometry": EIGHT_BIT.as_dict(), "sigma0_db": list(CLIP_DB)}


def _pairs(layout: write_pairs.Layout) -> World:
    files, write = partial(write_pairs.files, layout), partial(write_pairs.write, layout=layout)
    return World("pairs", 16, files, write, "audit --data-dir {root}", {"layout": layout, **_GREY})


WORLDS = {
    "tiles": World(
        "tiles", 16, write_tiles.files, write_tiles.write, "prepare-classes --data-dir {root} --base-dir .", {}
    ),
    "pairs": _pairs("terrain"),
    "pairs-csv": _pairs("regions"),
    "captions": World(
        "captions", 16, write_captions.files, write_captions.write,
        "parquet-to-jsonl --parquet-path {root} --output-dir {root}-images", {},
    ),
    "cube": World(
        "cubes", 1, write_cube.files, write_cube.write,
        "hsi-patches --input {root} --patch-size {patch} --output-dir {root}-patches", {},
    ),
    "scene": World(
        "scenes", 1, write_scene.files, write_scene.write,
        "tile --sar {root} --optical {root} --size {half} --output-dir {root}-patches",
        {"radiometry": Radiometry("db", *CLIP_DB).as_dict()},
    ),
}  # fmt: skip


def draw(settings: SynthSettings, show: Console) -> dict[str, Any]:
    """Draw the world that ``settings`` ask for; RSF-U004 when the folder holds files that are not to be replaced."""
    world, root, size = WORLDS[settings.kind], settings.output_dir, settings.size
    count = settings.count or world.count
    files = world.files(count)
    told = {"kind": settings.kind, "count": count, "size": size, "seed": settings.seed}
    words = {"root": shlex.quote(str(root)), "half": max(size // 2, 8), "patch": max(min(size, 255) // 15 * 15, 15)}
    then = f"rsforge data {world.then.format(**words)}"
    result = {**told, "files": len(files) + 1, "output": str(root), "next": then}
    _stale(root, files, overwrite=settings.overwrite)
    if show.dry_run:
        return result
    root.mkdir(parents=True, exist_ok=True)
    with durable.locked(root):
        durable.sweep(root)
        # Judged again under the lock: another run may have come and gone.
        for path in _stale(root, files, overwrite=settings.overwrite):
            _remove(root, path)
        durable.write_json(root / NOTE, told)
        with show.progress("drawing", count) as meter:
            for done in world.write(root, count=count, size=size, seed=settings.seed):
                meter.step(done)
        write_card(root, world.card, **world.facts, world=told)
        (root / NOTE).unlink()
    return result


def _stale(root: Path, files: list[str], *, overwrite: bool) -> list[Path]:
    """What an earlier world left in ``root``, its note last; RSF-U004 when it, or a file in the way, must stay."""
    if not root.exists():
        return []
    held = sorted(p.name for p in root.iterdir() if not p.name.startswith((durable.LOCK, durable.TEMPORARY)))
    earlier = _earlier(root)
    there = [name for name in files if (root / name).exists()]
    others = [name for name in there if name not in set(earlier)] if earlier else held
    if held and not overwrite:
        raise _occupied(root, held, "")
    if others:
        raise _occupied(root, others, "only files of an earlier world are replaced; name another --output-dir")
    names = [*earlier, CARD, NOTE] if earlier else []
    return [path for name in names if (path := inside(root, name, where=str(root))).is_file()]


def _occupied(root: Path, found: list[str], fix: str) -> RsforgeError:
    fix = fix or "replace an earlier world with --overwrite, or name another --output-dir"
    what = f"the output folder {root} is not empty"
    return RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(found[:4]), fix=fix)


def _earlier(root: Path) -> list[str]:
    """The files of the world in ``root``, finished or not; none when nothing says that there is one."""
    told: Any = None
    with contextlib.suppress(FileNotFoundError, ValueError):
        told = json.loads((root / NOTE).read_bytes())
    told = told or read_card(root).get("world")
    match told:
        case {"kind": str(kind), "count": int(count)} if kind in WORLDS and 0 < count <= 1_000_000:
            return WORLDS[kind].files(count)
    return []


def _remove(root: Path, path: Path) -> None:
    path.unlink()
    with contextlib.suppress(OSError):
        for folder in path.relative_to(root).parents:
            (root / folder).rmdir()
