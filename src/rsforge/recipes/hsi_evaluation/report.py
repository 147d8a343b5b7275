"""The report of an evaluation of spectra, and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.cubes.cube import F64
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.hsi_evaluation.measured_patches import MeasuredPatches
from rsforge.recipes.hsi_evaluation.shown_patches import (
    ShownPatch,
    chart_band_errors,
    chart_spectra,
    choose_examples,
    view_patch,
)
from rsforge.recipes.hsi_evaluation.stage_figures import StageSums, patch_figures
from rsforge.recipes.hsi_evaluation.stages import Stage
from rsforge.recipes.html.spectral_page import SpectralReport, StageView, render_page
from rsforge.recipes.published.comparison import SECTION as PUBLISHED
from rsforge.recipes.published.comparison import render_comparison
from rsforge.recipes.verdict import KEY, list_sentences
from rsforge.settings.hsi_evaluate import SpectralEvaluateSettings

FILES = ("metrics.json", "per_patch.csv", "report.html")
CARDS = ("sam_deg", "rmse")


def write_report(
    settings: SpectralEvaluateSettings, sums: Sequence[StageSums], result: dict[str, Any], measured: MeasuredPatches
) -> None:
    """The report and the table, ``metrics.json`` last: where it is there, the others belong to it."""
    place, overwrite = settings.evaluation.output_dir, settings.evaluation.overwrite
    assert place is not None
    figures = {one.stage.name: patch_figures(one) for one in sums}
    views = [view_stage(one.stage, result, figures[one.stage.name], measured) for one in sums]
    page = render_page(make_report(result, views))
    columns = {f"{stage}_{name}": column for stage, own in figures.items() for name, column in own.items()}
    text = files.csv_of([patch.name for patch in measured.patches], measured.scenes, columns)
    with durable.lock_folder(place):
        leftovers.sweep_for(place / name for name in FILES)
        files.check_output(place, overwrite=overwrite, names=FILES)
        for name in FILES:
            (place / name).unlink(missing_ok=True)
        durable.write_text(place / "report.html", page)
        durable.write_text(place / "per_patch.csv", text)
        durable.write_json(place / "metrics.json", result)


def view_stage(
    stage: Stage, result: Mapping[str, Any], figures: Mapping[str, F64], measured: MeasuredPatches
) -> StageView:
    """The best, the median and the worst patch of a stage, spectra of the median one, and errors by band."""
    own, reader, views, spectra = result["stages"][stage.name], PatchReader(), [], []
    for label, index in choose_examples(figures["sam_deg"]).items():
        patch = measured.patches[index]
        shown = ShownPatch.predict(stage, stage.prepare(reader.read(patch)))
        title = f"The {label} patch: {patch.name}, {figures['sam_deg'][index]:.2f}°"
        views.append(view_patch(shown, title, patch.file))
        if label == "median" or len(measured.patches) < 3:
            spectra = chart_spectra(shown, patch.name, patch.file)
    bands, published = chart_band_errors(own, measured.patches[0].file), render_comparison(own.get(PUBLISHED))
    return StageView(own, views, spectra, bands, published)


def make_report(result: Mapping[str, Any], views: Sequence[StageView]) -> SpectralReport:
    """The page of a result."""
    hidden = {KEY, "stages", "doubts", "wavelength_nm", "interval_warning"}
    facts = {name: value for name, value in result.items() if name not in hidden and not isinstance(value, dict)}
    return SpectralReport(
        title="Evaluation of predicted spectra",
        lead=f"{result['patches']} patches of {result['bands']} bands, the subset {result['side']} of "
        f"{result['data_dir']}. Figures are over all valid pixels together, not means of patches.",
        cards=[card for stage in result["stages"].values() for card in make_cards(stage)],
        stages=views,
        doubts=result["doubts"],
        verdicts=list_sentences(result),
        facts=facts | {f"{name} of {stage}": value for name in ("weights", "chosen_on", "trained_on")
                       for stage, value in result[name].items()},
    )  # fmt: skip


def make_cards(stage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Angle and error of a stage beside those of its best baseline."""
    for name in CARDS:
        row, gain = stage["figures"][MODEL][name], stage["gain"][name]
        if row["mean"] is None or gain["mean"] is None:
            continue
        other = stage["figures"][gain["over"]][name]["mean"]
        unit = stage["units"][name]
        over = gain["over"].replace("_", " ")
        interval = "" if gain["low"] is None else f" [{gain['low']:.3g}, {gain['high']:.3g}]"
        yield (
            f"{row['mean']:.3g} {unit}",
            f"{stage['title']}, {name}; {over} {other:.3g}; gain {gain['mean']:.3g}{interval}",
        )
