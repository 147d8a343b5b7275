"""``rsforge data synth``: a synthetic data set in a folder, the same for the same seed."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.data.synthetic import write_captions, write_cube, write_pairs, write_scene, write_tiles
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.data_synth import SynthSettings

NOTE = ".world.json"  # describes an unfinished data set, whose card is written last


@dataclass(frozen=True)
class World:
    """One kind of data set: kind in the card, default count, functions that list and write files, the next command, and
    facts for the card."""

    card: str
    count: int
    list_files: Callable[..., list[str]]
    write: Callable[..., Iterator[int]]
    next_command: str
    facts: dict[str, Any]


_GREY = {"radiometry": EIGHT_BIT.as_dict(), "sigma0_db": list(CLIP_DB)}


def _pairs_world(layout: write_pairs.SyntheticLayout) -> World:
    return World(
        card="pairs",
        count=16,
        list_files=partial(write_pairs.list_files, layout),
        write=partial(write_pairs.write, layout=layout),
        next_command="audit --data-dir {root}",
        facts={"layout": layout, **_GREY},
    )


WORLDS = {
    "tiles": World(
        card="tiles",
        count=16,
        list_files=write_tiles.list_files,
        write=write_tiles.write,
        next_command="prepare-classes --data-dir {root} --base-dir .",
        facts={},
    ),
    "pairs": _pairs_world("terrain"),
    "pairs-csv": _pairs_world("regions"),
    "captions": World(
        card="captions",
        count=16,
        list_files=write_captions.list_files,
        write=write_captions.write,
        next_command="parquet-to-jsonl --parquet-path {root} --output-dir {root}-images",
        facts={},
    ),
    "cube": World(
        card="cubes",
        count=1,
        list_files=write_cube.list_files,
        write=write_cube.write,
        next_command="hsi-patches --input {root} --patch-size {patch} --output-dir {root}-patches",
        facts={},
    ),
    "scene": World(
        card="scenes",
        count=1,
        list_files=write_scene.list_files,
        write=write_scene.write,
        next_command="tile --sar {root} --optical {root} --size {half} --output-dir {root}-patches",
        facts={"radiometry": Radiometry("db", *CLIP_DB).as_dict()},
    ),
}


def draw(settings: SynthSettings, console: Console) -> dict[str, Any]:
    """Write the data set that ``settings`` describe; RSF-U004 when the folder holds files that may not be replaced."""
    world = WORLDS[settings.kind]
    root = settings.output_dir
    size = settings.size
    count = settings.count or world.count
    options = choose_options(settings)
    files = world.list_files(count, **options)
    description = {"kind": settings.kind, "count": count, "size": size, "seed": settings.seed, **options}
    half = max(size // 2, 8)
    patch = max(min(size, 255) // 15 * 15, 15)
    command = world.next_command.format(root=shlex.quote(str(root)), half=half, patch=patch)
    result = {**description, "files": len(files) + 1, "output": str(root), "next": f"rsforge data {command}"}
    _find_stale(root, files, overwrite=settings.overwrite)
    if console.dry_run:
        return result
    root.mkdir(parents=True, exist_ok=True)
    with durable.lock_folder(root):
        leftovers.sweep(root)
        # Checked again under the lock: another run may have written files in between.
        for path in _find_stale(root, files, overwrite=settings.overwrite):
            _remove(root, path)
        durable.write_json(root / NOTE, description)
        with console.progress("drawing", count) as meter:
            for done in world.write(root, count=count, size=size, seed=settings.seed, **options):
                meter.step(done)
        write_card(root, world.card, **world.facts, world=description)
        (root / NOTE).unlink()
    return result


def choose_options(settings: SynthSettings) -> dict[str, bool]:
    """What this kind of data set alone may be asked for; RSF-U005 where it is another kind."""
    if settings.every_season and settings.kind != "pairs-csv":
        what = f"--every-season draws scenes of --kind pairs-csv, not of {settings.kind}"
        raise RsforgeError("RSF-U005", what, where="--every-season", fix="leave out --every-season")
    return {"every_season": True} if settings.every_season else {}


def _find_stale(root: Path, files: list[str], *, overwrite: bool) -> list[Path]:
    """The files of an earlier data set in ``root``, its note last; RSF-U004 when they may not be replaced."""
    if not root.exists():
        return []
    present = sorted(p.name for p in root.iterdir() if not p.name.startswith((durable.LOCK, durable.TEMPORARY)))
    earlier = _list_earlier(root)
    if present and not overwrite:
        fix = "replace earlier synthetic data with --overwrite, or name another --output-dir"
        raise _occupied_error(root, present, fix)
    foreign = present
    if earlier:
        foreign = [name for name in files if (root / name).exists() and name not in set(earlier)]
    if foreign:
        raise _occupied_error(root, foreign, "only files of an earlier world are replaced; name another --output-dir")
    names = [*earlier, CARD, NOTE] if earlier else []
    paths = [resolve_inside(root, name, where=str(root)) for name in names]
    return [path for path in paths if path.is_file()]


def _occupied_error(root: Path, names: list[str], fix: str) -> RsforgeError:
    what = f"the output folder {root} is not empty"
    return RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(names[:4]), fix=fix)


def _list_earlier(root: Path) -> list[str]:
    """The files of the synthetic data set in ``root``, finished or not; none when no note or card describes one."""
    description: Any = None
    with contextlib.suppress(FileNotFoundError, ValueError):
        description = json.loads((root / NOTE).read_bytes())
    if not description:
        description = read_card(root).get("world")
    match description:
        case {"kind": str(kind), "count": int(count)} if kind in WORLDS and 0 < count <= 1_000_000:
            seasons = {"every_season": True} if kind == "pairs-csv" and description.get("every_season") is True else {}
            return WORLDS[kind].list_files(count, **seasons)
    return []


def _remove(root: Path, path: Path) -> None:
    """Remove a file, and folders below ``root`` that are empty then."""
    path.unlink()
    with contextlib.suppress(OSError):
        for folder in path.relative_to(root).parents:
            (root / folder).rmdir()
