"""``rsforge data tile``: aligned SAR and optical scenes are cut into a data set of pairs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.data.io.windows import Window, list_windows
from rsforge.data.pairs.cut_scenes import cut_patches, sample_sar_values, write_patch
from rsforge.data.pairs.scene_pairs import ScenePair, find_scene_pairs
from rsforge.data.pairs.tables import COLUMNS, table_path, write_table
from rsforge.data.sar.radiometry import Radiometry, check_values, settle_radiometry, value_extent
from rsforge.data.views.view import PairViews
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.output_checks import check_writable
from rsforge.recipes.views import describe_views, settle_pairs
from rsforge.settings.data_pairs import TileCutSettings
from rsforge.wording import agree, count_noun

_MAKER = "data tile"
_PATCH = re.compile(r"([^/]+/s[12]/.+_r\d{5,}_c\d{5,}|r_\d{3,}/s[12]_\d{3,}/img_p\d+)\.(png|tif)")
_NAMED = 5

Plan = list[tuple[ScenePair, list[Window]]]
"""Scenes and the windows to cut."""
_HEADER = ",".join(COLUMNS)


def cut(settings: TileCutSettings, console: Console) -> dict[str, Any]:
    """Find the scenes, determine the radiometry of their SAR values, cut them, and write tables and card."""
    output = settings.output_dir
    if settings.layout == "regions" and settings.terrain is not None:
        fix = "leave --terrain out, or cut by --layout terrain"
        raise RsforgeError("RSF-U005", "--terrain is for --layout terrain", where="--terrain, --layout", fix=fix)
    _check_output(settings)
    check_writable(output, "the patches", "--output-dir")
    plan, views = _view_scenes(_plan_windows(settings, console), settings, console)
    radiometry, sentence = _settle_radiometry(plan, settings)
    console.say(f"radiometry {sentence}")
    facts = {
        "made_by": _MAKER,
        "layout": settings.layout,
        "radiometry": radiometry.as_dict(),
        "size": settings.size,
        "stride": settings.stride or settings.size,
        **_describe_views(views),
    }
    result: dict[str, Any] = {"output": str(output), "scenes": len(plan), "windows": _count_windows(plan)}
    if console.dry_run:
        return result | {"windows_of_scenes": {scene.name: len(windows) for scene, windows in plan}} | facts
    output.mkdir(parents=True, exist_ok=True)
    with durable.lock_folder(output):
        _remove_earlier(output)
        write_card(output, "pairs", complete=False, **facts)
        counts = _write_patches(plan, settings, console)
        if not any(counts.values()):
            _remove_earlier(output)
            raise _no_data_error(settings, plan)
        write_card(output, "pairs", complete=True, scenes=counts, **facts)
    patches = sum(counts.values())
    left_out = _count_windows(plan) - patches
    console.say(f"patches    {patches} written, {left_out} left out for want of data")
    result |= {"patches": patches, "left_out_nodata": left_out, "patches_of_scenes": counts}
    return result | {"radiometry": sentence}


def _plan_windows(settings: TileCutSettings, console: Console) -> Plan:
    """The scenes and their windows; RSF-D003 when no scene is as large as a patch."""
    sar, optical = settings.sar, settings.optical
    if sar.is_file() and optical.is_file() and sar.samefile(optical):
        raise RsforgeError("RSF-U005", "one file is given for both images", where="--sar, --optical", found=str(sar))
    scenes, orphans = find_scene_pairs(sar, optical, warp=settings.warp)
    for name, reason in orphans[:_NAMED]:
        console.warn(f"{name} is left out: {reason}")
    if len(orphans) > _NAMED:
        console.warn(
            f"{count_noun(len(orphans) - _NAMED, 'more file')} {agree(len(orphans) - _NAMED, 'is', 'are')} left out"
        )
    plan = [(scene, _scene_windows(scene, settings, console)) for scene in scenes]
    if not _count_windows(plan):
        what = f"no scene is as large as a patch of {settings.size} x {settings.size} pixels"
        raise RsforgeError("RSF-D003", what, where="--size", fix="lower --size")
    return plan


def _view_scenes(plan: Plan, settings: TileCutSettings, console: Console) -> tuple[Plan, PairViews]:
    """The plan with how its scenes are read, settled for all of them."""
    root = settings.sar if settings.sar.is_dir() else settings.sar.parent
    sar, optical = [scene.sar.path for scene, _ in plan], [scene.optical.path for scene, _ in plan]
    views = settle_pairs(root, sar, optical, settings, console)
    for scene in (scene for scene, _ in plan if scene.warped):
        image = "SAR" if scene.grid_of_sar else "optical"
        console.warn(f"the {image} image of scene {scene.name} is resampled by its control points, without heights")
    if not settings.bands:  # patches keep all their bands, of which later commands choose
        kept = replace(views, optical=replace(views.optical, bands=()))
        return [(replace(scene, views=kept), windows) for scene, windows in plan], views
    return [(replace(scene, views=views), windows) for scene, windows in plan], views


def _describe_views(views: PairViews) -> dict[str, Any]:
    """The views of the patches for the card: bands that were chosen are numbered in their order."""
    sar, optical = (
        replace(view, bands=tuple(str(k + 1) for k in range(len(view.bands))), alpha="auto")
        for view in (views.sar, views.optical)
    )
    return describe_views(PairViews(sar, optical))


def _count_windows(plan: Plan) -> int:
    return sum(len(windows) for _, windows in plan)


def _check_output(settings: TileCutSettings) -> None:
    """RSF-U004 unless the folder is empty or an earlier cut to be replaced; RSF-U005 if it holds the scenes."""
    output = settings.output_dir
    for name in ("sar", "optical"):
        if getattr(settings, name).resolve().is_relative_to(output.resolve()):
            raise RsforgeError("RSF-U005", "the scenes lie in the output folder", where=f"--{name}, --output-dir")
    if not output.is_dir():
        return
    present = sorted(path.name for path in output.iterdir() if not _is_unfinished(path))
    if not present:
        return
    if settings.overwrite and read_card(output).get("made_by") == _MAKER:
        return
    what = f"the output folder {output} is not empty"
    fix = "name another --output-dir" if settings.overwrite else "replace an earlier cut with --overwrite"
    raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(present[:4]), fix=fix)


def _is_unfinished(path: Path) -> bool:
    """Whether a file of the output is what a cut leaves that was killed before its first patch."""
    return path.name == durable.LOCK or durable.is_temporary(path)


def _scene_windows(scene: ScenePair, settings: TileCutSettings, console: Console) -> list[Window]:
    windows = list_windows(*scene.size, settings.size, settings.stride or settings.size)
    if not windows:
        console.warn(f"scene {scene.name} has {scene.sar.height} x {scene.sar.width} pixels, too few for one patch")
    for info in (scene.sar, scene.optical):
        if info.note:
            console.warn(f"{info.path.name} is not georeferenced: {info.note}")
    return windows


def _settle_radiometry(plan: Plan, settings: TileCutSettings) -> tuple[Radiometry, str]:
    """The radiometry of all scenes; RSF-D010 when they differ in dtype, or values contradict the declared unit."""
    dtypes = {scene.sar.dtype: scene.name for scene, _ in plan}
    if len(dtypes) > 1:
        found = ", ".join(f"{name}: {dtype}" for dtype, name in dtypes.items())
        fix = "cut scenes of one dtype at a time"
        raise RsforgeError("RSF-D010", "the scenes have SAR values of different dtypes", found=found, fix=fix)
    samples = [sample_sar_values(scene, windows) for scene, windows in plan if windows]
    if not any(values.size for values in samples):
        raise _no_data_error(settings, plan)
    low, high = value_extent(samples)
    dtype = str(samples[0].dtype)
    radiometry, sentence = settle_radiometry(settings.radiometry, settings.clip, dtype, low, high)
    sampled = [scene for scene, windows in plan if windows]
    for scene, values in zip(sampled, samples, strict=True):
        check_values(radiometry, values, where=str(scene.sar.path))
    return radiometry, sentence


def _no_data_error(settings: TileCutSettings, plan: Plan) -> RsforgeError:
    what = f"none of {_count_windows(plan)} windows holds data in {settings.min_valid:.0%} of its pixels"
    return RsforgeError("RSF-D004", what, where="--min-valid", fix="lower --min-valid, or choose other scenes")


def _remove_earlier(output: Path) -> None:
    """Remove the files of an earlier cut: patches by their names, tables by their header, and the card."""
    leftovers.sweep(output)
    for path in sorted(output.glob("*/*/*")):
        if _PATCH.fullmatch(path.relative_to(output).as_posix()):
            path.unlink()
    for path in sorted(output.glob("*/*"), reverse=True):
        for folder in (path, path.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    for path in output.glob("data_*.csv"):
        with path.open(encoding="utf-8", errors="replace") as file:
            is_table = file.readline(1000).strip() == _HEADER
        if is_table:
            path.unlink()
    (output / CARD).unlink(missing_ok=True)


def _write_patches(plan: Plan, settings: TileCutSettings, console: Console) -> dict[str, int]:
    """Write patches and tables; returns the number of patches of each scene."""
    rows: dict[str, list[dict[str, Any]]] = {}
    with console.progress("windows", _count_windows(plan)) as meter:
        for number, (scene, windows) in enumerate(plan):
            folder = _folder_of(number, scene, settings)
            scene_facts = _describe_scene(scene, settings)
            folder_rows = rows.setdefault(folder, [])
            for patch in cut_patches(scene, windows, min_valid=settings.min_valid):
                if patch.files is not None:
                    stems = _make_stems(settings, folder, scene.name, patch.window, len(folder_rows) + 1)
                    names = write_patch(patch, settings.output_dir, stems)
                    folder_rows.append(scene_facts | patch.window._asdict() | names)
                meter.step()
    for folder, folder_rows in rows.items():
        if folder_rows:
            write_table(table_path(settings.output_dir, folder), folder_rows)
    counts = Counter(row["scene"] for folder_rows in rows.values() for row in folder_rows)
    return {scene.name: counts[scene.name] for scene, _ in plan}


def _folder_of(number: int, scene: ScenePair, settings: TileCutSettings) -> str:
    if settings.layout == "regions":
        return f"r_{number:03d}"
    return settings.terrain or scene.name


def _make_stems(settings: TileCutSettings, folder: str, scene: str, window: Window, number: int) -> tuple[str, str]:
    """The paths of a SAR and an optical patch without suffix, relative to the output folder."""
    if settings.layout == "regions":
        digits = folder.removeprefix("r_")
        return f"{folder}/s1_{digits}/img_p{number}", f"{folder}/s2_{digits}/img_p{number}"
    name = f"{scene}_r{window.row:05d}_c{window.col:05d}"
    return f"{folder}/s1/{name}", f"{folder}/s2/{name}"


def _describe_scene(scene: ScenePair, settings: TileCutSettings) -> dict[str, Any]:
    """The columns of a table that are the same for all patches of a scene."""
    place = scene.coordinates
    grid = scene.sar.grid or scene.optical.grid
    gsd_m = grid.gsd_m() if grid else None
    region: str = settings.region or ""
    if not region and place:
        region = _climate_region(place[1])
    return {
        "scene": scene.name,
        "coordinates": f"({place[0]}, {place[1]})" if place else "",
        "country": settings.country,
        "scale": f"{gsd_m:g}" if gsd_m else "",
        "region": region,
        "season": "fall" if settings.season == "autumn" else settings.season or "",
    }


def _climate_region(latitude_deg: float) -> str:
    """The climate region of a latitude, bounded by the tropics at 23.5 and the polar circles at 66.5 degrees."""
    if abs(latitude_deg) <= 23.5:
        return "tropical"
    return "temperate" if abs(latitude_deg) <= 66.5 else "arctic"
