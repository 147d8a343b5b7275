"""Hyperspectral cubes to patches with the Landsat bands they would give."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rsforge import durable
from rsforge.data.cubes.cube import F32, Cube, Mask
from rsforge.data.cubes.formats import find_cubes
from rsforge.data.cubes.patches import NAME, Patch, Simulation, gsd_m, write_patches
from rsforge.data.cubes.resample import coarse_count
from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.data.splits.assign import Wanted, divide
from rsforge.data.splits.items import Item
from rsforge.data.splits.split_file import SPLIT_FILE
from rsforge.engine.signals import StopRequest
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, Meter
from rsforge.recipes.data import split
from rsforge.recipes.data.hsi_scenes import Scene, Seen, Work, judged, work_of
from rsforge.recipes.training import output_dir
from rsforge.settings.data_cubes import HsiPatchesSettings
from rsforge.settings.data_pairs import SplitSettings


def cut(settings: HsiPatchesSettings, show: Console) -> dict[str, Any]:
    """Judge every cube, then write the pairs of each; SIGINT and SIGTERM end it between two patches."""
    with StopRequest() as stop:
        work = work_of(settings, stop)
        result = _cut(work, show)
    work.heed()
    return result


def _cut(work: Work, show: Console) -> dict[str, Any]:
    settings, out = work.settings, work.settings.output_dir
    found = find_cubes(settings.input, skip=NAME)
    _refuse_occupied(out, found, overwrite=settings.overwrite)
    every = [judged(name, path, work, show, alone=len(found) == 1) for name, path in found.items()]
    scenes = [scene for scene in every if scene is not None]
    if not any(scene.windows for scene in scenes):
        raise _nothing(work)
    facts = _facts(work, scenes)
    if settings.split_by != "none":
        divide(_items(scenes), Wanted(settings.split_by, val=settings.val, seed=settings.seed))
    if show.dry_run:
        return facts | _most(work, scenes)
    output_dir.make(out)
    with durable.locked(out):
        durable.sweep(out)
        earlier = _refuse_occupied(out, found, overwrite=settings.overwrite)
        for name in (CARD, SPLIT_FILE):
            (out / name).unlink(missing_ok=True)
        counts = _written(scenes, work, show)
        if not any(counts.values()):
            raise _nothing(work)
        for path in earlier - {out / name / NAME for name, count in counts.items() if count}:
            path.unlink()
        facts |= {"scenes": counts, "patches": sum(counts.values()), "left_out": dict(sorted(work.left_out.items()))}
        write_card(out, "patches", **{key: value for key, value in facts.items() if key != "output_dir"})
    return facts | _divided(settings, show)


def _items(scenes: list[Scene]) -> list[Item]:
    """The patches that may come to be, to see before they are cut that they can be divided."""
    return [Item(f"{s.name}/{NAME}#{k}", (), s.name, window) for s in scenes for k, window in enumerate(s.windows)]


def _divided(settings: HsiPatchesSettings, show: Console) -> dict[str, Any]:
    """The split of what was written, as ``data split`` makes it."""
    if settings.split_by == "none":
        return {}
    wanted = SplitSettings(data_dir=settings.output_dir, by=settings.split_by, val=settings.val, seed=settings.seed)
    return {"split": split.divide(wanted, show)}


def _refuse_occupied(out: Path, names: Collection[str], *, overwrite: bool) -> set[Path]:
    """Patches in the folder that are this run's to replace: those of the same scenes, or of the data set that it holds.

    RSF-U004 when it may not, or when others are there, which may be anybody's; RSF-U005 where a cube is in the way.
    """
    blocked = next((out / name for name in names if (out / name).is_file()), None)
    if blocked is not None:
        what = "a folder of patches would take the name of a file"
        raise RsforgeError("RSF-U005", what, where="--output-dir", found=str(blocked), fix="name another --output-dir")
    there = set(out.rglob(NAME)) | {out / name for name in (CARD, SPLIT_FILE) if (out / name).exists()}
    own = {*names, *(dict(read_card(out).get("scenes") or {}) if overwrite else ())}
    mine = {out / name / NAME for name in own} | {out / CARD, out / SPLIT_FILE}
    foreign = sorted(there - mine if overwrite else there)
    if foreign:
        shown = ", ".join(path.relative_to(out).as_posix() for path in foreign[:4])
        what = f"the output folder {out} holds {'patches of other data' if overwrite else 'a data set'}"
        fix = "name another --output-dir" if overwrite else "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=shown, fix=fix)
    return {path for path in there if path.name == NAME}


def _nothing(work: Work) -> RsforgeError:
    found = ", ".join(f"{reason}: {count}" for reason, count in sorted(work.left_out.items()))
    fix = "lower --patch-size or --min-valid, or see --valid-range"
    return RsforgeError("RSF-D004", "no patch can be cut", where=str(work.settings.input), found=found, fix=fix)


def _facts(work: Work, scenes: list[Scene]) -> dict[str, Any]:
    """What is known before patches are cut."""
    s, response = work.settings, work.response
    coverage = np.min([scene.bands.coverage for scene in scenes], axis=0)
    return {
        "output_dir": str(s.output_dir),
        "sensor": response.name,
        "coverage": {band: round(float(share), 4) for band, share in zip(response.bands, coverage, strict=True)},
        "factor": str(work.factor),
        "patch_size": s.patch_size,
        "landsat_size": coarse_count(s.patch_size, work.factor),
        "stride": s.stride or s.patch_size,
        "bands": {scene.name: int(scene.keep.sum()) for scene in scenes},
        "bands_dropped": {scene.name: int((~scene.keep).sum()) for scene in scenes},
    }


def _most(work: Work, scenes: list[Scene]) -> dict[str, int]:
    """Patches when every window is valid, and their bytes before compression."""
    counts = {scene.name: len(scene.windows) for scene in scenes}
    values = sum(counts[scene.name] * (int(scene.keep.sum()) + len(work.response.bands)) for scene in scenes)
    return {"patches_at_most": sum(counts.values()), "bytes_at_most": 4 * work.settings.patch_size**2 * values}


def _written(scenes: list[Scene], work: Work, show: Console) -> dict[str, int]:
    """Patches written of each scene."""
    counts: dict[str, int] = {}
    with show.progress("cutting", sum(len(scene.windows) for scene in scenes)) as meter:
        for scene in scenes:
            path = work.settings.output_dir / scene.name / NAME
            with work.open(scene.path) as cube:
                seen = Seen()
                patches = _patches(scene, cube, work, meter, seen)
                counts[scene.name] = write_patches(path, scene.name, patches, _attributes(scene, cube, work))
                for doubt in seen.doubts(cube):
                    show.warn(f"{scene.path.name}: {doubt}")
    return counts


def _patches(scene: Scene, cube: Cube, work: Work, meter: Meter, seen: Seen) -> Iterator[Patch]:
    simulation = Simulation.of(scene.bands.weights, work.settings.patch_size, work.factor)
    for window in scene.windows:
        work.heed()
        values, valid = cube.read(window, scene.keep)
        if work.settings.valid_range is not None:
            valid = valid & _within(values, *work.settings.valid_range)
        if valid.any() and valid.mean() >= work.settings.min_valid:
            seen.take(values[valid])
            yield simulation.patch(window, values, valid)
        else:
            work.left_out["windows with too few valid pixels"] += 1
        meter.step()


def _within(values: F32, low: float, high: float) -> Mask:
    inside: Mask = np.all((values >= low) & (values <= high), axis=-1)
    return inside


def _attributes(scene: Scene, cube: Cube, work: Work) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "scene": scene.name,
        "source": scene.path.name,
        "sensor": work.response.name,
        "landsat_bands": list(work.response.bands),
        "landsat_coverage": scene.bands.coverage,
        "downsampling_factor": float(work.factor),
        "factor": str(work.factor),
        "landsat_grid": "one a patch, from its upper left corner",
        "wavelengths": scene.wavelength_nm[scene.keep],
        "cube_wavelengths": scene.wavelength_nm,
        "good_band_mask": scene.keep.astype(np.uint8),
        "units": cube.unit,
    }
    if cube.fwhm_nm is not None:
        facts["fwhm"] = cube.fwhm_nm[scene.keep]
    if cube.grid is not None:
        facts |= {"crs": cube.grid.crs, "transform": cube.grid.transform}
    gsd = gsd_m(cube.grid)
    return facts if gsd is None else facts | {"aviris_gsd": gsd, "landsat_gsd": gsd * float(work.factor)}
