"""The figures of a stage: sums over patches by predictor, then values, intervals, gains and errors by band."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.cubes.cube import F64
from rsforge.data.cubes.resample import area_weights
from rsforge.data.spectra.patch_files import PatchFile
from rsforge.data.spectra.patch_reader import PairedPixels
from rsforge.data.spectra.scaling import Scaling
from rsforge.metrics.image_means import NAMES as MEANS
from rsforge.metrics.image_means import derive_means, measure_image
from rsforge.metrics.paired_sums import Estimate, PairedFigures, Resampling
from rsforge.metrics.spectral_sums import (
    Sums,
    derive_figures,
    derive_rmse_per_band,
    measure_response,
    measure_sums,
)
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.evaluation.summary import to_number
from rsforge.recipes.hsi.patch_pairs import weights_of_patches
from rsforge.recipes.hsi.prediction import SAME
from rsforge.recipes.hsi_evaluation.stages import PatchCase, Stage
from rsforge.recipes.published.definitions import define_figures
from rsforge.wording import join_first

TRUTH = "truth"
HIGHER = {"psnr_db", "ssim", "mpsnr_db", "mean_psnr_db", "cc"}
MAIN = ("sam_deg", "rmse")
UNITS = {"_deg": "degrees", "_db": "dB", "ergas": "%"}
"""Of figures, by how their names end; of errors it is the unit of the files."""


LOST = {
    "mean_mrae": "a true value is 0, or a prediction no number,",
    "mpsnr_db": "a band has no error, or a prediction is no number,",
    "mean_psnr_db": "there is no error, or a prediction is no number,",
}
"""Why a figure of a patch is not finite."""


@dataclass
class StageSums:
    """The sums of every patch, by predictor; ``response (K, B)`` is None where it is not known.

    Beside the predictors stands ``truth``, of which only the response is measured.
    """

    stage: Stage
    spectra: Scaling
    response: Tensor | None
    rows: dict[str, list[Sums]] = field(default_factory=dict)
    lost: int = 0
    """Valid pixels at which a prediction of the model is no number."""
    peak: float | None = None
    """The largest value, of which the means of PSNR are; else the largest true one of the patches."""
    largest: float = 0.0

    def add(self, pixels: PairedPixels) -> None:
        """Measure every predictor on one patch; one prediction is in memory at a time."""
        case = self.stage.prepare(pixels)
        self.largest = max([self.largest, *(float(band[case.valid].max()) for band in case.truth if case.valid.any())])
        for name, predict in self.stage.predictors.items():
            output = predict(case.given)
            self.rows.setdefault(name, []).append(self._measure(output, case))
            if name == MODEL:
                self.lost += int((case.valid & ~output.isfinite().all(0)).sum())
        if self.response is not None:
            self.rows.setdefault(TRUTH, []).append(self._measure_response(case.truth, case))

    def _measure(self, output: Tensor, case: PatchCase) -> Sums:
        gain, offset = (torch.from_numpy(values).float() for values in self.spectra.gain_and_offset())
        sums = measure_sums(output, case.truth, case.valid, gain=gain, offset=offset)
        of_image = measure_image(output, case.truth, case.valid, sums, scale=float(self.stage.scale))
        return sums | of_image | self._measure_response(output, case)

    def _measure_response(self, output: Tensor, case: PatchCase) -> Sums:
        if self.response is None:
            return {}
        grid = None
        if self.stage.scale != SAME:
            rows, cols = (torch.from_numpy(area_weights(side, self.stage.scale)) for side in case.valid.shape)
            grid = rows, cols
        return measure_response(output, case.valid, case.landsat, self.response, grid)

    def stack(self, name: str) -> dict[str, F64]:
        """The sums of a predictor, ``(n, ...)`` of ``n`` patches."""
        rows = self.rows[name]
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}

    def derive(self, sums: Mapping[str, F64]) -> dict[str, F64]:
        """Figures of sums, over all pixels together and as means over patches."""
        gain, _ = self.spectra.gain_and_offset()
        together = derive_figures(sums, gain=gain, scale=float(self.stage.scale))
        return together | derive_means(sums, peak=self.peak or self.largest)


def find_response(file: PatchFile) -> tuple[Tensor | None, str]:
    """The weights ``(K, B)`` by which the sensor of the patches integrates a spectrum; else why they are unknown."""
    try:
        return torch.from_numpy(weights_of_patches(file)), ""
    except ValueError as reason:
        return None, str(reason)


def summarize_stage(sums: StageSums, resampling: Resampling, *, unit: str, missing: str) -> dict[str, Any]:
    """What a result says of a stage; ``missing`` says why the response is not known."""
    stage = sums.stage
    stacked = {name: sums.stack(name) for name in stage.predictors}
    paired = PairedFigures(stacked, sums.derive, resampling)
    names = [name for name in paired.values[MODEL] if name not in MEANS]
    found: dict[str, Any] = {
        "title": stage.title,
        "reading": stage.reading,
        "scale": str(stage.scale),
        "pixels": int(stacked[MODEL]["pixels"].sum()),
        "baselines": dict(stage.meanings),
        **describe_figures(paired, stage, names, unit),
        "means": {
            "psnr_peak": sums.peak or to_number(sums.largest),
            **describe_figures(paired, stage, MEANS, unit),
            "absent": list_lost_means(stacked),
        },
        "gains": {over: {name: _as_row(_gain(paired, over, name)) for name in names} for over in stage.meanings},
        "rmse_per_band": {who: [to_number(v) for v in _per_band(own).tolist()] for who, own in stacked.items()},
        "absent": {**stage.absent, **({"response_rmse": missing} if missing else {})},
    }
    found["notes"] = list_missing_gains(found["gain"])
    if sums.response is not None:
        found["response_rmse_of_truth"] = _derive_of_truth(sums.stack(TRUTH))
        found["notes"].append(describe_truth(found["response_rmse_of_truth"]))
    return found


def describe_figures(paired: PairedFigures, stage: Stage, names: Sequence[str], unit: str) -> dict[str, Any]:
    """Some figures of each predictor and the gains of the model, with what is to be known of them."""
    return {
        "units": {name: _find_unit(name, unit) for name in names},
        "directions": {name: "higher" if name in HIGHER else "lower" for name in names},
        "definitions": define_figures(names, spectral=True),
        "figures": {who: {name: _as_row(paired.estimate(who, name)) for name in names} for who in paired.values},
        "gain": {name: _find_gain(paired, stage.meanings, name) for name in names},
    }


def list_lost_means(stacked: Mapping[str, Mapping[str, F64]]) -> dict[str, str]:
    """Why means are missing, by name: in how many patches a figure is not finite, of which predictors."""
    found = {}
    for name in MEANS:
        lost = {who: int((~np.isfinite(own[name])).sum()) for who, own in stacked.items()}
        who = [one for one, count in lost.items() if count]
        if who:
            many = f"{max(lost.values())} of {len(stacked[MODEL][name])} patches"
            found[name] = f"{LOST.get(name, 'a prediction is no number')} in {many} ({join_first(who, 3)})"
    return found


def _find_unit(name: str, unit: str) -> str:
    known = (own for end, own in UNITS.items() if name.endswith(end))
    return next(known, unit if name.endswith("rmse") else "")


def list_missing_gains(gain: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """In which of the main figures the model is not shown to be nearer to the truth than its best baseline."""
    notes = []
    for name in MAIN:
        row = gain.get(name)
        if row and _is_missing(row):
            over = row["over"].replace("_", " ")
            worse = row["high"] is not None and row["high"] < 0
            unsure = f"the model gains nothing in {name} that could be told from chance over {over}"
            notes.append(f"the model is worse than {over} in {name}" if worse else unsure)
    return notes


def _is_missing(row: Mapping[str, Any]) -> bool:
    """Whether the gain is not above 0, or where it has an interval, not all of that."""
    least = row["mean"] if row["low"] is None else row["low"]
    return least is not None and least <= 0


def describe_truth(of_truth: float | None) -> str:
    """What the response figures are to be compared with."""
    if of_truth is None:
        return "no pixel of Landsat is covered whole, so that no response is measured"
    return (
        f"response_rmse of the true spectra themselves is {of_truth:.4g}; it is not 0 where Landsat values are "
        "interpolated, or means of what was"
    )


def patch_figures(sums: StageSums, name: str = MODEL) -> dict[str, F64]:
    """The figures ``(n,)`` of a predictor on each patch."""
    return sums.derive(sums.stack(name))


def _gain(paired: PairedFigures, over: str, name: str) -> Estimate:
    return paired.gain(MODEL, over, name, higher_is_better=name in HIGHER)


def _find_gain(paired: PairedFigures, baselines: Mapping[str, str], name: str) -> dict[str, Any]:
    """That over the baseline that is best in this figure."""
    known = [over for over in baselines if np.isfinite(paired.values[over][name])] or list(baselines)
    over = min(known, key=partial(_gain_value, paired, name=name))
    return {"over": over, **_as_row(_gain(paired, over, name))}


def _gain_value(paired: PairedFigures, over: str, *, name: str) -> float:
    return _gain(paired, over, name).value


def _as_row(estimate: Estimate) -> dict[str, float | None]:
    return {"mean": to_number(estimate.value), "low": to_number(estimate.low), "high": to_number(estimate.high)}


def _per_band(sums: Mapping[str, F64]) -> F64:
    return derive_rmse_per_band({name: values.sum(0) for name, values in sums.items()})


def _derive_of_truth(sums: Mapping[str, F64]) -> float | None:
    pixels = float(sums["response_pixels"].sum())
    return to_number(float(np.sqrt(sums["response_square"].sum() / pixels))) if pixels else None


def sum_stages(
    stages: Sequence[StageSums], patches: Sequence[Any], read: Callable[[Any], PairedPixels], step: Callable[[], None]
) -> None:
    """Measure every stage on every patch, each of which is read once."""
    for patch in patches:
        pixels = read(patch)
        for stage in stages:
            stage.add(pixels)
        step()
