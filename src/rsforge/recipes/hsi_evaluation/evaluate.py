"""``rsforge hsi evaluate``: predicted spectra measured beside what costs nothing, for each stage and for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rsforge.data.spectra.negative_values import NegativeValues
from rsforge.data.spectra.patch_files import PatchFile, PatchRef
from rsforge.data.spectra.patch_reader import PairedPixels, PatchReader
from rsforge.data.spectra.spatial_dataset import describe_landsat
from rsforge.data.spectra.training_fits import count_negative_values
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.metrics.paired_sums import Resampling
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.measured_subset import warn_trained
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.summary import Bootstrap
from rsforge.recipes.evaluation.table import list_head, list_notes, list_rows
from rsforge.recipes.hsi.band_facts import BandFacts, require_same
from rsforge.recipes.hsi.first_stage import FirstStage, check_fits
from rsforge.recipes.hsi.load import SpatialModel, SpectralModel, load_spatial, load_spectral
from rsforge.recipes.hsi.load_stages import allow_projection
from rsforge.recipes.hsi.patch_pairs import state_response
from rsforge.recipes.hsi.prediction import Stages
from rsforge.recipes.hsi_evaluation.measured_patches import MeasuredPatches, open_patches
from rsforge.recipes.hsi_evaluation.report import FILES, write_report
from rsforge.recipes.hsi_evaluation.stage_figures import (
    MAIN,
    StageSums,
    find_response,
    sum_stages,
    summarize_stage,
)
from rsforge.recipes.hsi_evaluation.stages import Stage, build_stages
from rsforge.recipes.published.benchmarks import read_benchmarks
from rsforge.recipes.published.comparison import SECTION as PUBLISHED
from rsforge.recipes.published.comparison import compare_published, list_comparison
from rsforge.recipes.training import output_dir
from rsforge.recipes.verdict import KEY, compare_with_best, require_better
from rsforge.seeds import derive
from rsforge.settings.hsi_evaluate import SpectralEvaluateSettings

INPUTS = {"stage2": "area means of the truth"}
"""What a stage is given, where published figures are of other inputs."""


def evaluate(settings: SpectralEvaluateSettings, console: Console) -> dict[str, Any]:
    """Figures of the model and of its baselines over all valid pixels of a subset, for each stage."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite, names=FILES)
    device = devices.choose(settings.device)
    stage1 = load_spectral(settings.stage1_checkpoint, device)
    stage2 = load_spatial(settings.stage2_checkpoint, device) if settings.stage2_checkpoint else None
    measured = open_patches(Path(settings.data_dir), settings.split, own.side, console, stage1.loaded.state)
    file = state_response(measured.patches[0].file, settings.sensor)
    check_fits(FirstStage(stage1, settings.stage1_checkpoint), file)
    if stage2 is not None:
        check_stage2(stage2, settings.stage2_checkpoint, file)
    stages = Stages(stage1, stage2)
    if settings.project:
        stages = allow_projection(stages, settings.stage1_checkpoint, settings.sensor)
    models = {"stage1": stage1} | ({"stage2": stage2} if stage2 else {})
    facts = describe_measured(settings, models, measured)
    doubts = list_doubts(models, measured, console)
    if console.dry_run:
        return {**facts, "output_dir": str(own.output_dir or "nothing is written")}
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    figures, sums = measure(settings, build_stages(stages), stage1, measured, file, doubts, console)
    result = facts | figures
    result[KEY] = [
        verdict
        for stage in result["stages"].values()
        for name in MAIN
        for verdict in compare_with_best(stage["figures"], stage["gain"], name, subject=stage["title"])
    ]
    if own.compare_published is not None:
        add_published(own.compare_published, result)
    if own.output_dir is not None:
        result["output_dir"] = str(own.output_dir)
        write_report(settings, sums, result, measured)
    require_better(result, wanted=own.fail_below_baseline)
    return result


def add_published(name: str, result: dict[str, Any]) -> None:
    """Set published figures beside those of every stage that they are of, as its section ``published``."""
    stages = result["stages"].items()
    tasks = {"stage1": "spectral", "stage2": "spatial"}
    fitting = [key for key, _ in stages if tasks.get(key) == read_benchmarks()[name].task]
    for key, stage in stages:
        if key in (fitting or ["stage1"]):
            means = stage["means"]
            facts = {**result, "scale": stage["scale"], "input": INPUTS.get(key), "psnr_peak": means["psnr_peak"]}
            figures = stage["figures"][MODEL] | means["figures"][MODEL]
            stage[PUBLISHED] = compare_published(name, tasks.get(key, ""), facts, figures)


def check_stage2(stage2: SpatialModel, path: Path | None, file: PatchFile) -> None:
    """RSF-C006 where stage 2 was trained on other bands than those of the patches, or in another unit."""
    own, patches = BandFacts.of_stage2(stage2), BandFacts.of_patches(file)
    fix = "name the stage 2 of these patches with --stage2-checkpoint"
    require_same(own, patches, where=str(path), found=str(file.path), fix=fix)


def describe_measured(
    settings: SpectralEvaluateSettings, models: Mapping[str, SpectralModel | SpatialModel], measured: MeasuredPatches
) -> dict[str, Any]:
    """What is measured."""
    file, states = measured.patches[0].file, {name: model.loaded.state for name, model in models.items()}
    return {
        "stage1_checkpoint": str(settings.stage1_checkpoint),
        **({"stage2_checkpoint": str(settings.stage2_checkpoint)} if settings.stage2_checkpoint else {}),
        "weights": {name: model.loaded.digest for name, model in models.items()},
        "projected": settings.project,
        "data_dir": settings.data_dir,
        "side": measured.subset,
        "side_reason": measured.reason,
        "split": measured.sets.identity["split"],
        "chosen_on": {name: chosen_on(state) for name, state in states.items()},
        "trained_on": {name: measured.count_trained(state) for name, state in states.items()},
        "patches": len(measured.patches),
        "scenes": len(set(measured.scenes)),
        "groups": measured.drawn,
        "bands": file.bands,
        "unit": file.unit,
        "sensor": file.sensor,
    }


def list_doubts(
    models: Mapping[str, SpectralModel | SpatialModel], measured: MeasuredPatches, console: Console
) -> list[str]:
    """What a reader of the figures must know; what calls for other options is a warning too."""
    files, doubts = [patch.file for patch in measured.patches], [measured.doubt] if measured.doubt else []
    for doubt in doubts:
        console.warn(doubt)
    for key, model in models.items():
        name = key.replace("stage", "stage ")
        state, count = model.loaded.state, measured.count_trained(model.loaded.state)
        if count is None:
            doubts.append(f"whether {name} was trained on these patches is unknown")
        elif count:
            doubts.append(f"{count} of these {len(measured.patches)} patches were trained on by {name}")
        warn_trained(count, len(measured.patches), measured.subset, "patches", console)
        own = state.get("images", {}).get("split") == measured.sets.identity["split"]
        doubts += [f"{name}: {text}" for text in list_selection_caveats(state, measured.subset, own=own)]
    return doubts + [doubt for model in models.values() if isinstance(model, SpatialModel)
                     for doubt in list_stage2_doubts(model, models["stage1"].loaded.digest, files)]  # fmt: skip


def list_stage2_doubts(stage2: SpatialModel, stage1_digest: str, files: Sequence[PatchFile]) -> list[str]:
    """In what the evaluation is another than the training of stage 2."""
    state, doubts = stage2.loaded.state, []
    if state.get("source") == "stage1":
        doubts.append("stage 2 was trained on what stage 1 predicts, and is measured alone on means of true spectra")
    partner = state.get("partners", {}).get("stage1", {}).get("digest", stage1_digest)
    if partner != stage1_digest:
        doubts.append("stage 2 was trained on what another stage 1 predicts")
    if note := describe_landsat(files, stage2.scale):
        doubts.append(note)
    if stage2.scale != files[0].factor:
        doubts.append(
            f"stage 2 enlarges by {stage2.scale}, in these patches pixels of Landsat are wider by {files[0].factor}"
        )
    return doubts


def measure(
    settings: SpectralEvaluateSettings,
    stages: Sequence[Stage],
    stage1: SpectralModel,
    measured: MeasuredPatches,
    file: PatchFile,
    doubts: list[str],
    console: Console,
) -> tuple[dict[str, Any], list[StageSums]]:
    """The figures of all stages, and the sums that they follow from; ``file`` says what all patches have in common."""
    own = settings.evaluation
    response, missing = find_response(file)
    sums = [StageSums(stage, stage1.spectra, response, peak=settings.psnr_peak) for stage in stages]
    reader = PatchReader()
    negative = count_negative_values(file)
    with console.progress("patch", len(measured.patches)) as meter:
        sum_stages(sums, measured.patches, partial(read_counted, reader, negative), meter.step)
    check_pixels(negative, measured, doubts, console)
    resampling = Resampling(measured.groups, own.resamples, own.confidence, derive(own.seed, "bootstrap"))
    for one in sums:
        if one.lost:
            doubts.append(f"{one.stage.name} predicts no number at {one.lost} valid pixels")
            console.warn(doubts[-1])
    interval = Bootstrap(own.resamples, own.confidence, resampling.seed).describe(measured.drawn)
    figures = {
        "interval": interval if measured.groups else None,
        "interval_warning": measured.doubt or None,
        "wavelength_nm": None if file.wavelength_nm is None else file.wavelength_nm.tolist(),
        "stages": {one.stage.name: summarize_stage(one, resampling, unit=file.unit, missing=missing) for one in sums},
        "doubts": doubts,
    }
    return figures, sums


def read_counted(reader: PatchReader, negative: Sequence[NegativeValues], patch: PatchRef) -> PairedPixels:
    """A patch, whose negative values are counted."""
    pixels = reader.read(patch)
    for counter in negative:
        counter.add(patch.name, pixels.landsat[pixels.valid], pixels.spectra[pixels.valid])
    return pixels


def check_pixels(
    negative: Sequence[NegativeValues], measured: MeasuredPatches, doubts: list[str], console: Console
) -> None:
    """RSF-D004 where no pixel is valid, RSF-D010 where much of the values is negative; less of spectra is a doubt."""
    spectra, _ = negative
    if not spectra.pixels:
        what, fix = f"none of the {len(measured.patches)} patches has a valid pixel", "correct the masks of the patches"
        raise RsforgeError("RSF-D004", what, where=f"--side {measured.subset}", fix=fix)
    for counter in negative:
        counter.require_few()
    if note := spectra.describe():
        doubts.append(note)
        console.warn(note)


def table(result: Mapping[str, Any]) -> str:
    """Means with intervals by stage, predictor and figure, with what must be known to read them; empty for a plan."""
    if "stages" not in result:
        return ""
    stages = result["stages"]
    lines = list(list_head({**result, "chosen_on": None}))
    for stage in stages.values():
        lines += ["", f"{stage['title']}: {stage['reading']}", *list_rows(stage)]
        lines += [
            "",
            f"Means over patches, PSNR of the peak {stage['means']['psnr_peak']}:",
            *list_rows(stage["means"]),
        ]
        lines += list_comparison(stage.get(PUBLISHED))
    merged = {
        "directions": {
            name: way
            for stage in stages.values()
            for name, way in (*stage["directions"].items(), *stage["means"]["directions"].items())
        },
        "baselines": {name: text for stage in stages.values() for name, text in stage["baselines"].items()},
        "absent": {
            name: text
            for stage in stages.values()
            for name, text in (*stage["absent"].items(), *stage["means"]["absent"].items())
        },
        "doubts": result["doubts"]
        + [f"{stage['title']}: {note}" for stage in stages.values() for note in stage["notes"]],
        KEY: result[KEY],
    }
    return "\n".join([*lines, "", *list_notes(merged)])
