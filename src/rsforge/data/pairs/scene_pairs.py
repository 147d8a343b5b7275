"""Whole aligned scenes of a SAR and an optical image, before they are cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rsforge.data.io.georeference import RasterInfo, apart
from rsforge.data.io.image_reader import UnreadableError, unreadable
from rsforge.data.io.rasters import inspect
from rsforge.data.pairs.names import Match, listing, match, natural, token_free
from rsforge.errors import RsforgeError

_STEMS = {"s1": 1, "sar": 1, "s2": 2, "optical": 2, "opt": 2, "rgb": 2}


@dataclass(frozen=True)
class Scene:
    """Two images of the same pixels; ``name`` is unique and safe as a file name."""

    name: str
    sar: RasterInfo
    optical: RasterInfo

    @property
    def coordinates(self) -> tuple[float, float] | None:
        """Longitude and latitude of the middle, where either image has a grid."""
        grid = self.sar.grid or self.optical.grid
        return grid.centre(self.sar.height, self.sar.width) if grid else None


def find_scenes(sar: Path, optical: Path) -> tuple[list[Scene], list[tuple[str, str]]]:
    """The scenes of two files, of one folder of scenes or of two folders of equal names; and orphans (file, reason).

    In one folder a scene is SCENE/s1.* with SCENE/s2.*, or SCENE_s1.* with SCENE_s2.*. Headers are read: RSF-D002 when
    one cannot be, RSF-D009 when nothing pairs, two scenes have one name, or sizes or grids differ; RSF-D001 when a path
    is not there.
    """
    for path in (sar, optical):
        if not path.exists():
            raise RsforgeError("RSF-D001", f"there is no file or folder {path}", where=str(path))
    if sar.is_dir() != optical.is_dir():
        raise RsforgeError("RSF-U005", "one is a folder and the other a file", where="--sar, --optical")
    found = Match()
    if sar.is_file():
        found.pairs.append((token_free(sar.stem, 1) if not _generic(sar) else sar.parent.name, sar, optical))
    elif sar.resolve() == optical.resolve():
        found.pairs += _in_one_folder(sar)
    else:
        found = match(sar, sar, optical)
    if not found.pairs:
        fix = "looked for SCENE/s1.* with SCENE/s2.*, SCENE_s1.* with SCENE_s2.*, and equal names in two folders"
        raise RsforgeError("RSF-D009", f"no scenes found in {sar}", where="--sar, --optical", fix=fix)
    scenes = _scenes(found.pairs)
    return scenes, [(path.name, reason) for path, reason in found.orphans]


def holds_scene(folder: Path) -> bool:
    """Whether ``folder`` holds an image s1 and an image s2."""
    try:
        stems = {path.stem.lower() for path in listing(folder, folders=False)}
    except OSError:
        return False
    return {"s1", "s2"} <= stems


def _generic(path: Path) -> bool:
    return path.stem.lower() in _STEMS


def _in_one_folder(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    for inner in [folder, *listing(folder, folders=True)]:
        sides: dict[int, list[Path]] = {1: [], 2: []}
        for path in listing(inner, folders=False):
            if _generic(path):
                sides[_STEMS[path.stem.lower()]].append(path)
        if len(sides[1]) == len(sides[2]) == 1:
            yield inner.resolve().name, sides[1][0], sides[2][0]
        elif sides[1] or sides[2]:
            found = ", ".join(path.name for path in sides[1] + sides[2])
            what = f"the scene {inner.name} needs one SAR and one optical image"
            raise RsforgeError("RSF-D009", what, where=str(inner), found=found)
    named = {path.stem: path for path in listing(folder, folders=False) if not _generic(path)}
    optical = {token_free(stem, 2): path for stem, path in named.items() if token_free(stem, 2) != stem}
    for stem, path in named.items():
        key = token_free(stem, 1)
        if key != stem and key in optical:
            yield key, path, optical[key]


def _scenes(pairs: list[tuple[str, Path, Path]]) -> list[Scene]:
    scenes: dict[str, Scene] = {}
    for raw, sar, optical in sorted(pairs, key=lambda pair: natural(pair[0])):
        name = safe(raw)
        if name in scenes:
            found = f"{scenes[name].sar.path} and {sar}"
            raise RsforgeError("RSF-D009", f"two scenes have the name {name}", where=str(sar), found=found)
        scene = Scene(name, _header(sar), _header(optical))
        if reason := apart(scene.sar, scene.optical):
            what = f"the images of scene {name} do not fit: {reason}"
            raise RsforgeError("RSF-D009", what, where=str(optical), fix="resample one onto the other's grid first")
        scenes[name] = scene
    return list(scenes.values())


def _header(path: Path) -> RasterInfo:
    try:
        return inspect(path)
    except UnreadableError as reason:
        raise unreadable(path, str(reason)) from None


def safe(name: str) -> str:
    """``name`` as part of a file name: letters, digits, ``_``, ``-`` and ``.`` inside."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".-_")[:100] or "scene"
