"""``rsforge hsi predict``: spectra of scenes and patches from their Landsat bands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsforge import __version__, leftovers
from rsforge.data.cubes.cube import F64
from rsforge.data.cubes.cube_output import CubeHeader, geotiff_cube_writer
from rsforge.data.cubes.envi_output import SUFFIXES as ENVI
from rsforge.data.cubes.envi_output import envi_writer
from rsforge.data.files.walk import lies_in_left_behind
from rsforge.data.scenes.core_tiles import CoreTiles
from rsforge.data.scenes.inputs import InputImage
from rsforge.data.scenes.landsat_scene import BandRequest, LandsatScene, open_landsat
from rsforge.data.scenes.landsat_units import check_sample, check_values
from rsforge.data.spectra.patch_files import open_patch_file
from rsforge.data.spectra.spatial_dataset import describe_landsat
from rsforge.data.splits.single_items import HDF5
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.hsi.load_stages import load_stages
from rsforge.recipes.hsi.predict_patches import check_patches, predict_patches, sample_patches
from rsforge.recipes.hsi.predict_scene import TilePlan, plan_tiles, predict_scene
from rsforge.recipes.hsi.prediction import Stages
from rsforge.recipes.inference import output_paths
from rsforge.recipes.inference.skipped_images import SkippedImages
from rsforge.settings.hsi_predict import HsiPredictSettings
from rsforge.wording import agree, count_noun

GEOTIFF = (".tif", ".tiff")
OF_ONE_FILE = ("RSF-D002", "RSF-D003", "RSF-D004", "RSF-D006", "RSF-D008", "RSF-D010", "RSF-D014", "RSF-T004")
_FILE = re.compile(r"\.[a-z][a-z0-9]{1,4}", re.IGNORECASE)


def predict(settings: HsiPredictSettings, console: Console) -> dict[str, Any]:
    """Predict every file and write it under its name; one that fails is named and the rest is done, in a folder."""
    _check_choices(settings)
    single = _is_single(settings)
    output_paths.check_place([settings.input], settings.output, single=single)
    sources = _find_files(settings)
    targets = [settings.output if single else _target(settings.output, source) for source in sources]
    _check_targets(settings, sources, targets)
    device = devices.choose(settings.device)
    console.say(f"device     {devices.describe(device)}")
    return Run(settings, load_stages(settings, device, console), console, device.type).run(sources, targets)


def _check_choices(settings: HsiPredictSettings) -> None:
    if settings.overwrite and settings.skip_existing:
        what = "what is there is either replaced or left alone"
        raise RsforgeError("RSF-U005", what, where="--overwrite, --skip-existing", fix="give one of them")
    if settings.scale_offset is not None and settings.values == "collection2":
        what = "the scale and the offset of Collection 2 are known"
        raise RsforgeError("RSF-U005", what, where="--values, --scale-offset", fix="give one of them")


def _is_single(settings: HsiPredictSettings) -> bool:
    """Whether the output is a file; RSF-U005 for a file from a folder, RSF-U006 for a name that cannot hold it."""
    source, suffix = settings.input, settings.output.suffix.lower()
    if settings.output.is_dir() or not _FILE.fullmatch(suffix):
        return False
    if source.is_dir():
        what = "--output names one file, --input a folder"
        raise RsforgeError("RSF-U005", what, where="--input, --output", fix="name a folder with --output")
    fitting = HDF5 if source.suffix.lower() in HDF5 else (*GEOTIFF, *ENVI)
    if suffix not in fitting:
        what = f"{settings.output.name} cannot hold what is predicted of {source.name}"
        fix = f"give --output one of the suffixes {' '.join(fitting)}, or name a folder"
        raise RsforgeError("RSF-U006", what, where="--output", fix=fix)
    return True


def _find_files(settings: HsiPredictSettings) -> list[InputImage]:
    """The scenes and files of patches; RSF-D001 for none, RSF-U006 for a file of another kind."""
    place, known = settings.input, (*GEOTIFF, *HDF5)
    fix = f"give a file or a folder with {' '.join(known)}"
    if place.is_file() and place.suffix.lower() in known:
        return [InputImage(place, place.name)]
    if not place.exists() or place.is_file():
        what = f"{place} is no GeoTIFF or HDF5 file" if place.exists() else f"there is no file or folder {place}"
        raise RsforgeError("RSF-D001", what, where="--input", fix=fix)
    output = settings.output.resolve()
    every = sorted(path for path in place.rglob("*") if path.suffix.lower() in known and path.is_file())
    files = [path for path in every if not lies_in_left_behind(place, path) and output not in path.resolve().parents]
    if not files:
        raise RsforgeError("RSF-D001", f"No scenes or patches found in {place}", where="--input", fix=fix)
    return [InputImage(path, path.relative_to(place).as_posix()) for path in files]


def _target(output: Path, source: InputImage) -> Path:
    return output_paths.path_below(output, source, ".h5" if source.path.suffix.lower() in HDF5 else ".tif")


def _check_targets(settings: HsiPredictSettings, sources: list[InputImage], targets: list[Path]) -> None:
    output_paths.check_targets(sources, [source.path for source in sources], targets)
    headers = [target.with_suffix(".hdr") for target in targets if target.suffix.lower() in ENVI]
    if not settings.overwrite:
        output_paths.check_free([*targets, *headers], skip_existing=settings.skip_existing)


class Run:
    """The files of one call, one after the other."""

    def __init__(self, settings: HsiPredictSettings, stages: Stages, console: Console, device: str) -> None:
        self.settings, self.stages, self.console, self.device = settings, stages, console, device
        self.state = stages.spectral.loaded.state

    def run(self, sources: list[InputImage], targets: list[Path]) -> dict[str, Any]:
        """What was made of every file; at the end the error of one that failed, with all that was done."""
        pairs = [(s, t) for s, t in zip(sources, targets, strict=True) if not self._is_kept(t)]
        failed = SkippedImages(self.console, "error" if self.settings.input.is_file() else "skip", OF_ONE_FILE)
        files, codes = [], []
        if not (self.settings.overwrite or self.settings.skip_existing):
            self.console.command += " --skip-existing"  # what goes on after an interruption
        if not self.console.dry_run:
            leftovers.sweep_for(target for _, target in pairs)
        for source, target in pairs:
            with failed.skip_unusable(source.name):
                try:
                    files.append({"name": source.name, "output": str(target), **self._do(source, target)})
                except RsforgeError as error:
                    codes.append(error.code)
                    error.where = error.where or str(source.path)
                    raise
        result = self._describe(files, failed, len(sources) - len(pairs))
        if failed.images:
            what = f"{len(failed.images)} of {count_noun(len(pairs), 'file')} could not be predicted"
            named = ", ".join(file["name"] for file in failed.images[: output_paths.NAMED])
            kept = f"{count_noun(len(files), 'file')} in {self.settings.output}" if files else ""
            raise RsforgeError(codes[0], what, where=named, kept=kept, fix="the warnings say why", result=result)
        return result

    def _is_kept(self, target: Path) -> bool:
        return self.settings.skip_existing and target.is_file()

    def _do(self, source: InputImage, target: Path) -> dict[str, Any]:
        if source.path.suffix.lower() in HDF5:
            return self._do_patches(source.path, source.name, target)
        return self._do_scene(source.path, target)

    def _do_scene(self, source: Path, target: Path) -> dict[str, Any]:
        with open_landsat(source, self._request()) as scene:
            for note in scene.notes:
                self.console.say(f"scene      {source.name}: {note}")
            for warning in check_values(scene, *self._training_values(), stated=self.settings.values == "training"):
                self.console.warn(warning)
            if scene.info.grid is None:
                self.console.warn(
                    f"{source.name} is not georeferenced{f': {scene.info.note}' if scene.info.note else ''}"
                )
            return self._write_scene(scene, target)

    def _training_values(self) -> tuple[str, F64, F64]:
        """The unit of the training, and the range in which most of its Landsat values lie."""
        scaling = self.stages.spectral.landsat
        return self.state.get("unit", ""), np.array(scaling.low), np.array(scaling.high)

    def _write_scene(self, scene: LandsatScene, target: Path) -> dict[str, Any]:
        info, settings = scene.info, self.settings
        plan = plan_tiles(self.stages, info.height, info.width, settings.tile, settings.overlap)
        tiles = CoreTiles(info.height, info.width, plan.core, self.stages.scale)
        if plan.short:
            self.console.warn(
                f"{info.path.name}: tiles share less than the networks look at; the seams show by how much"
            )
        header = self._header(scene, tiles, plan)
        facts = {"tiles": len(tiles), "size": [header.bands, header.height, header.width]}
        if self.console.dry_run:
            return facts
        target.parent.mkdir(parents=True, exist_ok=True)
        writer = envi_writer if target.suffix.lower() in ENVI else geotiff_cube_writer
        with self.console.progress("tile", len(tiles)) as meter, writer(target, header) as put:
            figures = predict_scene(self.stages, scene, plan, put, meter)
        if not figures.valid:
            self.console.warn(f"{info.path.name} has no valid pixel, and neither has what is made of it")
        return facts | figures.as_dict(projected=settings.project)

    def _header(self, scene: LandsatScene, tiles: CoreTiles, plan: TilePlan) -> CubeHeader:
        height, width = tiles.result_size
        grid = scene.info.grid.rescale(1 / self.stages.scale) if scene.info.grid else None
        return CubeHeader(
            height, width, self.stages.bands, grid, self.stages.spectral.wavelength_nm, self.stages.spectral.fwhm_nm,
            self.state.get("unit", ""), scene.tags | self._tags(scene.info.path), int(plan.core * self.stages.scale),
        )  # fmt: skip

    def _do_patches(self, source: Path, name: str, target: Path) -> dict[str, Any]:
        file = open_patch_file(source, name, landsat_alone=True)
        check_patches(self.stages, file)
        if self.stages.spatial and (note := describe_landsat([file], self.stages.scale)):
            self.console.say(f"landsat    {note}")
        stated = self.settings.values == "training"
        for warning in check_sample(sample_patches(file), *self._training_values(), stated=stated):
            self.console.warn(warning)
        facts: dict[str, Any] = {"patches": file.count}
        if self.console.dry_run:
            return facts
        with self.console.progress("patch", file.count) as meter:
            figures = predict_patches(self.stages, file, target, self._attributes(source), meter)
        return facts | {k: v for k, v in figures.as_dict(projected=self.settings.project).items() if k != "seams"}

    def _attributes(self, source: Path) -> dict[str, Any]:
        model, tags = self.stages.spectral, self._tags(source)
        facts: dict[str, Any] = {"units": self.state.get("unit", ""), "scale": str(self.stages.scale)}
        axes = {"wavelengths": model.wavelength_nm, "fwhm": model.fwhm_nm}
        facts |= {name: axis for name, axis in axes.items() if axis is not None}
        return facts | {key.removeprefix("TIFFTAG_").lower(): value for key, value in tags.items()}

    def _tags(self, source: Path) -> dict[str, str]:
        """How a result came about."""
        stages = self.stages
        tags = {"TIFFTAG_SOFTWARE": f"rsforge {__version__}", "SOURCE": source.name}
        tags["WEIGHTS"] = stages.spectral.loaded.digest
        if stages.spatial is not None:
            tags["WEIGHTS_STAGE2"] = stages.spatial.loaded.digest
        if stages.response is not None:
            tags["PROJECTED_TO"] = self.settings.sensor or self.state.get("sensor", "")
        return tags

    def _request(self) -> BandRequest:
        return BandRequest(
            count=self.stages.spectral.ridge.weight.shape[1],
            sensor=self.state.get("sensor", ""),
            names=tuple(self.state.get("landsat_names", ())),
            wanted=self.settings.bands,
            values=self.settings.values,
            scale_offset=self.settings.scale_offset,
        )

    def _describe(self, files: list[dict[str, Any]], failed: SkippedImages, there: int) -> dict[str, Any]:
        return {
            "output": str(self.settings.output),
            "files": files,
            "left_out": failed.images,
            "there": there,
            "bands": self.stages.bands,
            "scale": str(self.stages.scale),
            "unit": self.state.get("unit", ""),
            "device": self.device,
        }


def describe(result: Mapping[str, Any]) -> str:
    """What was predicted, file by file, and what was left out; the same of a plan."""
    unit = f", in {result['unit']}" if result["unit"] else ""
    many = count_noun(len(result["files"]), "file")
    lines = [f"{many} of {result['bands']} bands at scale {result['scale']}{unit}, on {result['device']}"]
    lines += [f"  {file['output']}: {_describe_file(file)}" for file in result["files"]]
    if result["there"]:
        lines.append(f"{count_noun(result['there'], 'file')} of an earlier call kept")
    if result["left_out"]:
        lines.append(f"{count_noun(len(result['left_out']), 'file')} left out:")
        lines += [f"  {file['name']}: {file['reason']}" for file in result["left_out"]]
    return "\n".join(lines)


def _describe_file(file: Mapping[str, Any]) -> str:
    if "patches" in file:
        parts = [count_noun(file["patches"], "patch")]
    else:
        _, height, width = file["size"]
        parts = [f"{height} x {width} pixels in {count_noun(file['tiles'], 'tile')}"]
    if file.get("tiles", 1) > 1 and "seams" in file:
        parts.append(f"seams of at most {file['seams']['largest']:.2g}")
    if "unmet" in file:
        missed = file["unmet"]
        parts.append(f"{missed} of {file['valid']} pixels of Landsat {agree(missed, 'is', 'are')} not met exactly")
    return ", ".join(parts)
