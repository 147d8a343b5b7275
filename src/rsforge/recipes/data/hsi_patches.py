"""``rsforge data hsi-patches``: hyperspectral cubes are cut into patches with simulated Landsat bands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsforge import durable, leftovers
from rsforge.data.cubes.cube import F32, Cube, Mask
from rsforge.data.cubes.formats import find_cubes
from rsforge.data.cubes.patches import MOST_RESPONSE, NAME, RESPONSE, CubePatch, Simulation, write_patches
from rsforge.data.cubes.resample import coarse_count
from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.data.spectra.patch_files import open_patch_file, require_same_kind
from rsforge.data.splits.assign import divide
from rsforge.data.splits.items import Item
from rsforge.data.splits.split_file import SPLIT_FILE
from rsforge.data.splits.split_request import SplitRequest
from rsforge.engine.signals import StopRequest
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, Meter
from rsforge.recipes.data import split
from rsforge.recipes.data.hsi_scenes import CubeScene, CuttingJob, ValueStats, judge_scene, prepare_job
from rsforge.recipes.training import output_dir
from rsforge.settings.data_cubes import HsiPatchesSettings
from rsforge.settings.data_pairs import SplitSettings
from rsforge.wording import count_noun


def cut(settings: HsiPatchesSettings, console: Console) -> dict[str, Any]:
    """Check every cube, then write the pairs of each; SIGINT and SIGTERM end it between two patches."""
    with StopRequest() as stop:
        job = prepare_job(settings, stop)
        result = _cut_scenes(job, console)
    job.raise_if_stopped()
    return result


def _cut_scenes(job: CuttingJob, console: Console) -> dict[str, Any]:
    settings = job.settings
    out = job.settings.output_dir
    cubes = find_cubes(settings.input, skip=NAME)
    _refuse_occupied(out, cubes, overwrite=settings.overwrite)
    judged = [judge_scene(name, path, job, console, alone=len(cubes) == 1) for name, path in cubes.items()]
    scenes = [scene for scene in judged if scene is not None]
    if not any(scene.windows for scene in scenes):
        raise _no_patches_error(job)
    facts = _collect_facts(job, scenes)
    if settings.split_by != "none":
        _check_division(settings, scenes)
    if console.dry_run:
        return facts | _upper_bounds(job, scenes)
    output_dir.make(out)
    with durable.lock_folder(out):
        leftovers.sweep(out)
        earlier = _refuse_occupied(out, cubes, overwrite=settings.overwrite)
        for name in (CARD, SPLIT_FILE):
            (out / name).unlink(missing_ok=True)
        counts = _write_scenes(scenes, job, console)
        if not any(counts.values()):
            raise _no_patches_error(job)
        written = {out / name / NAME for name, count in counts.items() if count}
        for path in earlier - written:
            path.unlink()
        facts |= {"scenes": counts, "patches": sum(counts.values()), "left_out": dict(sorted(job.left_out.items()))}
        _warn_of_other_kinds(out, scenes, counts, console)
        write_card(out, "patches", **{key: value for key, value in facts.items() if key != "output_dir"})
    return facts | _divide_patches(settings, console)


def describe(result: Mapping[str, Any]) -> str:
    """How many patches of what there are, where they lie and what was left out, in sentences; the same of a plan."""
    size, coarse, out = result["patch_size"], result["landsat_size"], result["output_dir"]
    bands = count_noun(len(result["coverage"]), "band")
    if "patches" in result:
        counts, most = result["scenes"], ""
    else:
        counts, most = {}, "at most "
    number = result.get("patches", result.get("patches_at_most", 0))
    lines = [
        f"{most}{count_noun(number, 'patch', 'patches')} of {size} x {size} pixels, each with the {bands} of "
        f"{result['sensor']} in {coarse} x {coarse} pixels ({result['factor']} times coarser)"
    ]
    lines += [f"{out}/{name}/{NAME}: {count_noun(count, 'patch', 'patches')}" for name, count in counts.items()]
    for name, kept in result["bands"].items():
        dropped = result["bands_dropped"][name]
        lines.append(f"{name}: {count_noun(kept, 'band')} of the cube kept, {dropped} dropped")
    partly = [f"{band} ({share:.0%})" for band, share in result["coverage"].items() if share < 0.995]
    if partly:
        lines.append(f"covered in part by the cube: {', '.join(partly)}")
    lines += [f"left out: {count} {reason}" for reason, count in result.get("left_out", {}).items()]
    if "bytes_at_most" in result:
        lines.append(f"at most {result['bytes_at_most'] / 2**20:.1f} MiB before compression, in {out}")
    if "split" in result:
        split = result["split"]
        sizes = ", ".join(f"{split[subset]} {subset}" for subset in ("train", "val", "test") if split.get(subset))
        lines.append(f"{split['split']}: {sizes}, by {split['by']}")
    return "\n".join(lines)


def _check_division(settings: HsiPatchesSettings, scenes: list[CubeScene]) -> None:
    """RSF-D004 before anything is cut, where the patches cannot be divided as is asked."""
    try:
        divide(_expected_items(scenes), SplitRequest(settings.split_by, val=settings.val, seed=settings.seed))
    except RsforgeError as error:
        error.where = f"--split-by {settings.split_by}"
        error.fix = "lower --patch-size, or cut with --split-by none and divide by `rsforge data split`"
        raise


def _expected_items(scenes: list[CubeScene]) -> list[Item]:
    """The largest possible set of patches, to check before they are cut that it can be divided."""
    items = []
    for scene in scenes:
        for number, window in enumerate(scene.windows):
            items.append(Item(f"{scene.name}/{NAME}#{number}", (), scene.name, window))
    return items


def _divide_patches(settings: HsiPatchesSettings, console: Console) -> dict[str, Any]:
    """Write the split of the patches, as by ``rsforge data split``."""
    if settings.split_by == "none":
        return {}
    options = SplitSettings(data_dir=settings.output_dir, by=settings.split_by, val=settings.val, seed=settings.seed)
    return {"split": split.divide(options, console)}


def _refuse_occupied(out: Path, names: Collection[str], *, overwrite: bool) -> set[Path]:
    """The files of patches in ``out`` that this run may replace: those of the same scenes, or of the data set there.

    RSF-U004 when they may not be replaced, or when there are other files of patches; RSF-U005 where a file has the name
    of a scene.
    """
    for name in names:
        if (out / name).is_file():
            what = "a folder of patches would take the name of a file"
            found = str(out / name)
            raise RsforgeError("RSF-U005", what, where="--output-dir", found=found, fix="name another --output-dir")
    patches = set(out.rglob(NAME))
    present = patches | {out / name for name in (CARD, SPLIT_FILE) if (out / name).exists()}
    if overwrite:
        own = {*names, *dict(read_card(out).get("scenes") or {})}
        replaceable = {out / name / NAME for name in own} | {out / CARD, out / SPLIT_FILE}
        what = f"the output folder {out} holds patches of other data"
        fix = "name another --output-dir"
        foreign = sorted(present - replaceable)
    else:
        what = f"the output folder {out} holds a data set"
        fix = "replace it with --overwrite, or name another --output-dir"
        foreign = sorted(present)
    if foreign:
        found = ", ".join(path.relative_to(out).as_posix() for path in foreign[:4])
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=found, fix=fix)
    return patches


def _no_patches_error(job: CuttingJob) -> RsforgeError:
    found = ", ".join(f"{reason}: {count}" for reason, count in sorted(job.left_out.items()))
    fix = "lower --patch-size or --min-valid, or see --valid-range"
    return RsforgeError("RSF-D004", "no patch can be cut", where=str(job.settings.input), found=found, fix=fix)


def _collect_facts(job: CuttingJob, scenes: list[CubeScene]) -> dict[str, Any]:
    """The facts that are known before patches are cut."""
    settings, response = job.settings, job.response
    coverage = np.min([scene.bands.coverage for scene in scenes], axis=0)
    return {
        "output_dir": str(settings.output_dir),
        "sensor": response.name,
        "coverage": {band: round(float(share), 4) for band, share in zip(response.bands, coverage, strict=True)},
        "factor": str(job.factor),
        "patch_size": settings.patch_size,
        "landsat_size": coarse_count(settings.patch_size, job.factor),
        "stride": settings.stride or settings.patch_size,
        "bands": {scene.name: int(scene.keep.sum()) for scene in scenes},
        "bands_dropped": {scene.name: int((~scene.keep).sum()) for scene in scenes},
    }


def _warn_of_other_kinds(out: Path, scenes: list[CubeScene], counts: dict[str, int], console: Console) -> None:
    """Say where the scenes cannot be trained on together; each is a data set of its own."""
    files = [open_patch_file(out / scene.name / NAME, scene.name) for scene in scenes if counts[scene.name]]
    try:
        require_same_kind(files)
    except RsforgeError as error:
        console.warn(f"{error.what} ({error.found}): train on them apart, each with its own folder as --data-dir")


def _upper_bounds(job: CuttingJob, scenes: list[CubeScene]) -> dict[str, int]:
    """The number of patches if every window is valid, and their bytes before compression."""
    counts = {scene.name: len(scene.windows) for scene in scenes}
    values = sum(counts[scene.name] * (int(scene.keep.sum()) + len(job.response.bands)) for scene in scenes)
    return {"patches_at_most": sum(counts.values()), "bytes_at_most": 4 * job.settings.patch_size**2 * values}


def _write_scenes(scenes: list[CubeScene], job: CuttingJob, console: Console) -> dict[str, int]:
    """Write the patches of every scene; returns their numbers."""
    counts: dict[str, int] = {}
    with console.progress("cutting", sum(len(scene.windows) for scene in scenes)) as meter:
        for scene in scenes:
            path = job.settings.output_dir / scene.name / NAME
            with job.open(scene.path) as cube:
                stats = ValueStats()
                patches = _cut_patches(scene, cube, job, meter, stats)
                counts[scene.name] = write_patches(path, scene.name, patches, _make_attributes(scene, cube, job))
                for warning in stats.list_warnings(cube):
                    console.warn(f"{scene.path.name}: {warning}")
    return counts


def _cut_patches(scene: CubeScene, cube: Cube, job: CuttingJob, meter: Meter, stats: ValueStats) -> Iterator[CubePatch]:
    """The patches with enough valid pixels, each simulated; their values are added to ``stats``."""
    simulation = Simulation.for_patches(scene.bands.weights, job.settings.patch_size, job.factor)
    for window in scene.windows:
        job.raise_if_stopped()
        values, valid = cube.read(window, scene.turn(scene.keep))
        values = np.ascontiguousarray(scene.turn(values))
        if job.settings.valid_range is not None:
            low, high = job.settings.valid_range
            valid = valid & _are_within(values, low, high)
        if valid.any() and valid.mean() >= job.settings.min_valid:
            stats.add(values[valid])
            yield simulation.simulate(window, values, valid)
        else:
            job.left_out["windows with too few valid pixels"] += 1
        meter.step()


def _are_within(values: F32, low: float, high: float) -> Mask:
    """Pixels ``(H, W)`` of which all bands lie in the closed range."""
    within: Mask = np.all((values >= low) & (values <= high), axis=-1)
    return within


def _make_attributes(scene: CubeScene, cube: Cube, job: CuttingJob) -> dict[str, Any]:
    weights = scene.bands.weights
    facts: dict[str, Any] = {
        "scene": scene.name,
        "source": scene.path.name,
        "sensor": job.response.name,
        "landsat_bands": list(job.response.bands),
        "landsat_coverage": scene.bands.coverage,
        "downsampling_factor": float(job.factor),
        "factor": str(job.factor),
        "landsat_grid": "one a patch, from its upper left corner",
        "wavelengths": scene.wavelength_nm[scene.keep],
        **({RESPONSE: weights} if weights.nbytes <= MOST_RESPONSE else {}),
        "cube_wavelengths": scene.wavelength_nm,
        "good_band_mask": scene.keep.astype(np.uint8),
        "units": cube.unit,
    }
    if cube.fwhm_nm is not None:
        facts["fwhm"] = scene.turn(cube.fwhm_nm)[scene.keep]
    if cube.grid is not None:
        facts |= {"crs": cube.grid.crs, "transform": cube.grid.transform}
    gsd_m = cube.grid.gsd_m() if cube.grid else None
    if gsd_m is not None:
        facts |= {"aviris_gsd": gsd_m, "landsat_gsd": gsd_m * float(job.factor)}
    return facts
