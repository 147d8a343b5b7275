"""Pairs of whole SAR and optical scenes on one grid, before they are cut into patches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rsforge.data.files.stack_paths import is_file, is_stack
from rsforge.data.io.georeference import RasterInfo, find_difference
from rsforge.data.io.image_reader import UnreadableError, unreadable_error
from rsforge.data.io.rasters import read_info
from rsforge.data.pairs.names import (
    Match,
    list_entries,
    match_names,
    modality_of_stem,
    name_stem,
    natural_key,
    strip_token,
)
from rsforge.data.pairs.pair import PLAIN_PAIR
from rsforge.data.views.view import PairViews
from rsforge.errors import RsforgeError

_MODALITIES = {"s1": 1, "sar": 1, "s2": 2, "optical": 2, "opt": 2, "rgb": 2}
"""The modality of files that are named by it alone."""


@dataclass(frozen=True)
class ScenePair:
    """Two images of the same pixels; ``name`` is unique and safe as a file name.

    ``views`` say which of their bands are taken and what holds no data. With ``warped`` the image that has control
    points alone is resampled onto the grid of the other.
    """

    name: str
    sar: RasterInfo
    optical: RasterInfo
    views: PairViews = PLAIN_PAIR
    warped: bool = False

    @property
    def grid_of_sar(self) -> RasterInfo | None:
        """The image onto whose grid the SAR image is resampled, if it is."""
        return self.optical if self.warped and self.sar.grid is None else None

    @property
    def grid_of_optical(self) -> RasterInfo | None:
        """The image onto whose grid the optical image is resampled, if it is."""
        return self.sar if self.warped and self.optical.grid is None else None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pixels of both, in rows and columns."""
        info = self.grid_of_sar or self.sar
        return info.height, info.width

    @property
    def coordinates(self) -> tuple[float, float] | None:
        """Longitude and latitude of the centre in degrees; None where neither image has a grid."""
        grid = self.sar.grid or self.optical.grid
        return grid.centre(*self.size) if grid else None


def find_scene_pairs(sar: Path, optical: Path, *, warp: bool = False) -> tuple[list[ScenePair], list[tuple[str, str]]]:
    """The scenes of two files, of one folder, or of two folders with equal file names; and orphans (file, reason).

    With ``warp`` an image that is placed by control points alone is to be resampled onto the grid of the other.

    In one folder a scene is SCENE/s1.* with SCENE/s2.*, or SCENE_s1.* with SCENE_s2.*. Where each of two folders holds
    one georeferenced image, these are a scene whatever their names. Only headers are read. RSF-D001
    when a path does not exist, RSF-D002 for an unreadable header, RSF-D009 when nothing pairs, two scenes have one
    name, or sizes or grids differ.
    """
    for path in (sar, optical):
        if not path.exists() and not is_file(path):
            raise RsforgeError("RSF-D001", f"there is no file or folder {path}", where=str(path))
    if sar.is_dir() != optical.is_dir():
        raise RsforgeError("RSF-U005", "one is a folder and the other a file", where="--sar, --optical")
    found = Match()
    if not sar.is_dir():
        name = sar.parent.name if _find_modality(sar) else strip_token(name_stem(sar), 1)
        found.pairs.append((name, sar, optical))
    elif sar.resolve() == optical.resolve():
        found.pairs += _find_in_one_folder(sar)
    else:
        found = match_names(sar, sar, optical)
        if not found.pairs and (lone := _find_lone_scene(sar, optical)):
            found = Match(pairs=[lone])
    if not found.pairs:
        fix = (
            "looked for SCENE/s1.* with SCENE/s2.*, SCENE_s1.* with SCENE_s2.*, and equal names in two folders; give "
            "images of other names as two files, or as two folders of one image each"
        )
        raise RsforgeError("RSF-D009", f"no scenes found in {sar}", where="--sar, --optical", fix=fix)
    scenes = _read_scenes(found.pairs, warp)
    return scenes, [(path.name, reason) for path, reason in found.orphans]


def _find_lone_scene(sar: Path, optical: Path) -> tuple[str, Path, Path] | None:
    """The one image of each of two folders, where both say their place on the ground: their names need not agree."""
    images = [list_entries(folder, folders=False) for folder in (sar, optical)]
    if not all(len(own) == 1 for own in images):
        return None
    infos = [_read_header(own[0]) for own in images]
    if not all(info.grid is not None or info.control is not None for info in infos):
        return None
    return name_stem(images[1][0]), images[0][0], images[1][0]


def holds_scene(folder: Path) -> bool:
    """Whether ``folder`` holds an image s1 and an image s2."""
    try:
        stems = {name_stem(path).lower() for path in list_entries(folder, folders=False)}
    except OSError:
        return False
    # Numbered images, s0 to s7, are no SAR and optical images.
    return {"s1", "s2"} <= stems and not any(re.fullmatch(r"s(0|[3-9]|\d\d+)", stem) for stem in stems)


def _find_modality(path: Path) -> int:
    """1 or 2 for a file or a set that is named by its modality alone, so that its folder names the scene; 0 else."""
    stem = name_stem(path)
    if is_stack(path.name) and stem == path.parent.name:
        return modality_of_stem(path.stem) or 0
    return _MODALITIES.get(stem.lower(), 0)


def _find_in_one_folder(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    for inner in [folder, *list_entries(folder, folders=True)]:
        generic = [path for path in list_entries(inner, folders=False) if _find_modality(path)]
        sar, optical = ([path for path in generic if _find_modality(path) == modality] for modality in (1, 2))
        if len(sar) == 1 and len(optical) == 1:
            yield inner.resolve().name, sar[0], optical[0]
        elif generic:
            found = ", ".join(path.name for path in sar + optical)
            what = f"the scene {inner.name} needs one SAR and one optical image"
            raise RsforgeError("RSF-D009", what, where=str(inner), found=found)
    named = [path for path in list_entries(folder, folders=False) if not _find_modality(path)]
    sar_of, optical_of = (_index_by_token(named, modality) for modality in (1, 2))
    for key in sar_of.keys() & optical_of.keys():
        yield key, sar_of[key], optical_of[key]


def _index_by_token(paths: list[Path], modality: int) -> dict[str, Path]:
    """The images of a modality, by what is left of their names without its token; sets of bands need none.

    RSF-D009 where that is the same of two, as of SCENE_s1.tif and SCENE_s1.png.
    """
    keys: dict[str, Path] = {}
    for path in paths:
        stem = name_stem(path)
        key = strip_token(stem, modality)
        if not (modality_of_stem(path.stem) == modality if is_stack(path.name) else key != stem):
            continue
        if key in keys:
            what = f"two images are the {'SAR' if modality == 1 else 'optical'} image of the scene {key}"
            fix = "keep one of them in the folder, or give each scene as two files"
            found = f"{keys[key].name}, {path.name}"
            raise RsforgeError("RSF-D009", what, where=str(path.parent), found=found, fix=fix)
        keys[key] = path
    return keys


def _read_scenes(pairs: list[tuple[str, Path, Path]], warp: bool) -> list[ScenePair]:
    scenes: dict[str, ScenePair] = {}
    for raw, sar, optical in sorted(pairs, key=lambda pair: natural_key(pair[0])):
        name = safe_name(raw)
        if name in scenes:
            found = f"{scenes[name].sar.path} and {sar}"
            raise RsforgeError("RSF-D009", f"two scenes have the name {name}", where=str(sar), found=found)
        scene = ScenePair(name, _read_header(sar), _read_header(optical))
        if warp and _can_be_warped(scene):
            scene = replace(scene, warped=True)
        reason = "" if scene.warped else find_difference(scene.sar, scene.optical)
        if reason:
            what = f"the images of scene {name} do not fit: {reason}"
            fix = "resample one onto the other's grid first"
            if _can_be_warped(scene):
                fix += ", or with --warp by its control points, which knows no heights of the ground"
            raise RsforgeError("RSF-D009", what, where=str(optical), fix=fix)
        scenes[name] = scene
    return list(scenes.values())


def _can_be_warped(scene: ScenePair) -> bool:
    """Whether one image has a grid with a coordinate system, and the other ground control points alone."""
    placed, other = (scene.sar, scene.optical) if scene.sar.grid is not None else (scene.optical, scene.sar)
    has_points = other.grid is None and other.control is not None and bool(other.control.points and other.control.crs)
    return placed.grid is not None and bool(placed.grid.crs) and has_points


def _read_header(path: Path) -> RasterInfo:
    try:
        return read_info(path)
    except UnreadableError as reason:
        raise unreadable_error(path, str(reason)) from None


def safe_name(name: str) -> str:
    """``name`` as part of a file name: letters, digits, ``_``, ``-`` and ``.`` inside."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".-_")[:100] or "scene"
