"""Cut aligned SAR and optical scenes into a data set of pairs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.data.io.windows import Window, windows
from rsforge.data.pairs import cut_scenes as cutting
from rsforge.data.pairs.scene_pairs import Scene, find_scenes
from rsforge.data.pairs.tables import COLUMNS, table_of, write_table
from rsforge.data.sar.radiometry import Radiometry, check, extent, settle
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.output_checks import check_writable
from rsforge.settings.data_pairs import TileCutSettings

_MAKER = "data tile"
_PATCH = re.compile(r"([^/]+/s[12]/.+_r\d{5,}_c\d{5,}|r_\d{3,}/s[12]_\d{3,}/img_p\d+)\.(png|tif)")
_TOLD = 5

Plan = list[tuple[Scene, list[Window]]]
_HEADER = ",".join(COLUMNS)


def cut(settings: TileCutSettings, show: Console) -> dict[str, Any]:
    """Find the scenes, settle the unit of their SAR values, cut them, and write tables and card."""
    output = settings.output_dir
    if settings.layout == "regions" and settings.terrain is not None:
        fix = "leave --terrain out, or cut by --layout terrain"
        raise RsforgeError("RSF-U005", "--terrain is for --layout terrain", where="--terrain, --layout", fix=fix)
    _check_output(settings)
    check_writable(output, "the patches", "--output-dir")
    plan = _planned(settings, show)
    radiometry, sentence = _settled(plan, settings)
    show.say(f"radiometry {sentence}")
    facts = {"made_by": _MAKER, "layout": settings.layout, "radiometry": radiometry.as_dict(), "size": settings.size,
             "stride": settings.stride or settings.size}  # fmt: skip
    result: dict[str, Any] = {"output": str(output), "scenes": len(plan), "windows": _count(plan)}
    if show.dry_run:
        return result | {"windows_of_scenes": {scene.name: len(frames) for scene, frames in plan}} | facts
    output.mkdir(parents=True, exist_ok=True)
    with durable.locked(output):
        _clear(output)
        write_card(output, "pairs", complete=False, **facts)
        counts = _write(plan, settings, show)
        if not any(counts.values()):
            _clear(output)
            raise _empty(settings, plan)
        write_card(output, "pairs", complete=True, scenes=counts, **facts)
    patches = sum(counts.values())
    show.say(f"patches    {patches} written, {_count(plan) - patches} left out for want of data")
    result |= {"patches": patches, "left_out_nodata": _count(plan) - patches, "patches_of_scenes": counts}
    return result | {"radiometry": sentence}


def _planned(settings: TileCutSettings, show: Console) -> Plan:
    """The scenes and their windows; RSF-D003 when no scene has room for one."""
    sar, optical = settings.sar, settings.optical
    if sar.is_file() and optical.is_file() and sar.samefile(optical):
        raise RsforgeError("RSF-U005", "one file is given for both images", where="--sar, --optical", found=str(sar))
    scenes, orphans = find_scenes(sar, optical)
    for name, reason in orphans[:_TOLD]:
        show.warn(f"{name} is left out: {reason}")
    if len(orphans) > _TOLD:
        show.warn(f"{len(orphans) - _TOLD} more files are left out")
    plan = [(scene, _windows(scene, settings, show)) for scene in scenes]
    if not _count(plan):
        what = f"no scene is as large as a patch of {settings.size} x {settings.size} pixels"
        raise RsforgeError("RSF-D003", what, where="--size", fix="lower --size")
    return plan


def _count(plan: Plan) -> int:
    return sum(len(frames) for _, frames in plan)


def _check_output(settings: TileCutSettings) -> None:
    """RSF-U004 unless the folder is new, empty, or of an earlier cut that may go; RSF-U005 when scenes lie in it."""
    output = settings.output_dir
    for name in ("sar", "optical"):
        if getattr(settings, name).resolve().is_relative_to(output.resolve()):
            raise RsforgeError("RSF-U005", "the scenes lie in the output folder", where=f"--{name}, --output-dir")
    there = sorted(p.name for p in output.iterdir() if p.name != durable.LOCK) if output.is_dir() else []
    if not there or (settings.overwrite and read_card(output).get("made_by") == _MAKER):
        return
    what = f"the output folder {output} is not empty"
    fix = "name another --output-dir" if settings.overwrite else "replace an earlier cut with --overwrite"
    raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(there[:4]), fix=fix)


def _windows(scene: Scene, settings: TileCutSettings, show: Console) -> list[Window]:
    frames = windows(scene.sar.height, scene.sar.width, settings.size, settings.stride or settings.size)
    if not frames:
        show.warn(f"scene {scene.name} has {scene.sar.height} x {scene.sar.width} pixels, too few for one patch")
    for info in (scene.sar, scene.optical):
        if info.note:
            show.warn(f"{info.path.name} is not georeferenced: {info.note}")
    return frames


def _settled(plan: Plan, settings: TileCutSettings) -> tuple[Radiometry, str]:
    """The radiometry of all scenes; RSF-D010 when they differ in dtype, or values contradict the declared unit."""
    dtypes = {scene.sar.dtype: scene.name for scene, _ in plan}
    dtype = plan[0][0].sar.dtype
    if len(dtypes) > 1:
        found = ", ".join(f"{name}: {dtype}" for dtype, name in dtypes.items())
        fix = "cut scenes of one dtype at a time"
        raise RsforgeError("RSF-D010", "the scenes have SAR values of different dtypes", found=found, fix=fix)
    samples = [cutting.sample(scene, frames) for scene, frames in plan if frames]
    if not any(values.size for values in samples):
        raise _empty(settings, plan)
    radiometry, sentence = settle(settings.radiometry, settings.clip, dtype, *extent(samples))
    for (scene, _), values in zip((entry for entry in plan if entry[1]), samples, strict=True):
        check(radiometry, values, where=str(scene.sar.path))
    return radiometry, sentence


def _empty(settings: TileCutSettings, plan: Plan) -> RsforgeError:
    what = f"none of {_count(plan)} windows holds data in {settings.min_valid:.0%} of its pixels"
    return RsforgeError("RSF-D004", what, where="--min-valid", fix="lower --min-valid, or choose other scenes")


def _clear(output: Path) -> None:
    """Remove what an earlier cut wrote, and nothing else: patches by their names, tables by their header, the card."""
    durable.sweep(output)
    for path in sorted(output.glob("*/*/*")):
        if _PATCH.fullmatch(path.relative_to(output).as_posix()):
            path.unlink()
    for path in sorted(output.glob("*/*"), reverse=True):
        for folder in (path, path.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    for path in output.glob("data_*.csv"):
        with path.open(encoding="utf-8", errors="replace") as file:
            ours = file.readline(1000).strip() == _HEADER
        if ours:
            path.unlink()
    (output / CARD).unlink(missing_ok=True)


def _write(plan: Plan, settings: TileCutSettings, show: Console) -> dict[str, int]:
    """Patches and tables; how many patches each scene gave."""
    rows: dict[str, list[dict[str, Any]]] = {}
    with show.progress("windows", _count(plan)) as meter:
        for number, (scene, frames) in enumerate(plan):
            folder, told = _folder(number, scene, settings), _told(scene, settings)
            kept = rows.setdefault(folder, [])
            for patch in cutting.patches(scene, frames, min_valid=settings.min_valid):
                if patch.files is not None:
                    stems = _stems(settings, folder, scene.name, patch.window, len(kept) + 1)
                    kept.append(told | patch.window._asdict() | cutting.write(patch, settings.output_dir, stems))
                meter.step()
    for folder, table in rows.items():
        if table:
            write_table(table_of(settings.output_dir, folder), table)
    counts = Counter(row["scene"] for table in rows.values() for row in table)
    return {scene.name: counts[scene.name] for scene, _ in plan}


def _folder(number: int, scene: Scene, settings: TileCutSettings) -> str:
    return f"r_{number:03d}" if settings.layout == "regions" else settings.terrain or scene.name


def _stems(settings: TileCutSettings, folder: str, scene: str, window: Window, number: int) -> tuple[str, str]:
    if settings.layout == "regions":
        digits = folder.removeprefix("r_")
        return f"{folder}/s1_{digits}/img_p{number}", f"{folder}/s2_{digits}/img_p{number}"
    name = f"{scene}_r{window.row:05d}_c{window.col:05d}"
    return f"{folder}/s1/{name}", f"{folder}/s2/{name}"


def _told(scene: Scene, settings: TileCutSettings) -> dict[str, Any]:
    """What a row says of its scene."""
    place = scene.coordinates
    grid = scene.sar.grid or scene.optical.grid
    return {
        "scene": scene.name,
        "coordinates": f"({place[0]}, {place[1]})" if place else "",
        "country": settings.country,
        "scale": f"{gsd:g}" if grid and (gsd := grid.gsd_m()) else "",
        "region": settings.region or (_region(place[1]) if place else ""),
        "season": "fall" if settings.season == "autumn" else settings.season or "",
    }


def _region(latitude: float) -> str:
    """Tropics and polar circles at 23.5 and 66.5 degrees."""
    return "tropical" if abs(latitude) <= 23.5 else "temperate" if abs(latitude) <= 66.5 else "arctic"
