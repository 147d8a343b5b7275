"""What the report shows: patches in three colours, spectra of some of their pixels, errors by band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.audit.thumbnails import encode_png
from rsforge.data.cubes.cube import F32, F64, Mask
from rsforge.data.spectra.composites import (
    Pixels,
    choose_landsat_bands,
    choose_rgb_bands,
    draw_composite,
    find_runs,
    find_stretch,
)
from rsforge.data.spectra.patch_files import PatchFile
from rsforge.metrics.spectral import sam_deg
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.evaluation.summary import rank_examples
from rsforge.recipes.hsi_evaluation.stages import PatchCase, Stage
from rsforge.recipes.html.line_chart import Line
from rsforge.recipes.html.spectral_page import Composite, LineChart, PatchView

QUANTILES = (("a good pixel", 0.1), ("the median pixel", 0.5), ("a bad pixel", 0.9))
"""Of the spectral angles of the model in a patch."""
STYLES = ("baseline", "second-baseline")
NO_LANDSAT = "the input"


@dataclass(frozen=True)
class BandAxis:
    """The axis of curves of spectra: wavelengths where they are known, else numbers of bands."""

    file: PatchFile

    @property
    def label(self) -> str:
        return "wavelength (nm)" if self.file.wavelength_nm is not None else "band"

    def line(self, name: str, style: str, values: Sequence[float] | F64) -> Line:
        """A line of values ``(B,)``, without a connection across removed bands and between detectors."""
        nm = self.file.wavelength_nm
        x = np.arange(1, self.file.bands + 1, dtype=float) if nm is None else nm
        points = list(zip(x.tolist(), np.asarray(values, float).tolist(), strict=True))
        runs = find_runs(nm, self.file.bands, self.file.spectrum.order)
        return Line(name, style, [[points[band] for band in run] for run in runs])


@dataclass(frozen=True)
class ShownPatch:
    """A patch with what the model and the first baseline predict for it."""

    stage: Stage
    case: PatchCase
    predictions: Mapping[str, Tensor]

    @classmethod
    def predict(cls, stage: Stage, case: PatchCase) -> ShownPatch:
        names = list(stage.predictors)[:2]
        return cls(stage, case, {name: stage.predictors[name](case.given) for name in names})

    def angles(self) -> F64:
        """The spectral angle of the model at each pixel ``(H, W)`` in degrees, NaN where it does not count."""
        rows, valid = [], self.case.valid
        pairs = zip(self.predictions[MODEL].unbind(1), self.case.truth.unbind(1), valid, strict=True)
        for output, truth, counted in pairs:  # row by row: hundreds of bands in float64 take much memory
            pixels = (output.T[:, :, None, None], truth.T[:, :, None, None], counted[:, None, None, None])
            rows.append(sam_deg(*pixels))
        angles: F64 = torch.stack(rows).double().numpy()
        return angles


def choose_examples(angles: F64) -> dict[str, int]:
    """The patches of the least, the median and the greatest spectral angle."""
    return rank_examples(angles, higher_is_better=False)


def view_patch(shown: ShownPatch, title: str, file: PatchFile) -> PatchView:
    """Input, truth, predictions in the colours of the truth, and the angle between truth and prediction."""
    rgb = list(choose_rgb_bands(file.wavelength_nm, file.bands))
    case, valid = shown.case, shown.case.valid.numpy()
    truth = case.truth[rgb].numpy()
    stretch = find_stretch(truth, valid)
    pictures = [
        ("Landsat", _draw_landsat(case, file)),
        ("truth", draw_composite(truth, valid, stretch)),
        *((_call(name), draw_composite(y[rgb].numpy(), valid, stretch)) for name, y in shown.predictions.items()),
    ]
    angles = shown.angles()
    limit = float(np.nanpercentile(angles, 98)) if np.isfinite(angles).any() else 1.0
    pictures.append((f"angle of the prediction, yellow is {limit:.3g}° or more", _draw_map(angles, limit)))
    return PatchView(title, [Composite(name, encode_png(pixels)) for name, pixels in pictures])


def _call(name: str) -> str:
    return "prediction" if name == MODEL else name.replace("_", " ")


def _draw_landsat(case: PatchCase, file: PatchFile) -> Pixels:
    """The Landsat image of the input in its own colours."""
    bands = list(choose_landsat_bands(file.landsat_names, file.landsat_bands))
    image: F32 = case.landsat[bands].numpy()
    valid: Mask = np.all(np.isfinite(image), axis=0)
    return draw_composite(image, valid, find_stretch(image, valid))


def _draw_map(values: F64, limit: float) -> Pixels:
    from matplotlib import colormaps

    colours: F64 = colormaps["viridis"](np.clip(np.nan_to_num(values) / (limit or 1.0), 0, 1))[..., :3]
    return (np.where(np.isfinite(values)[..., None], colours, 0) * 255).round().astype(np.uint8)


def chart_spectra(shown: ShownPatch, name: str, file: PatchFile) -> list[LineChart]:
    """Truth and predictions of three pixels, at low, middle and high spectral angles of the model."""
    angles, axis = shown.angles(), BandAxis(file)
    ranked = np.argsort(np.where(np.isfinite(angles), angles, np.inf), axis=None)[: int(np.isfinite(angles).sum())]
    charts = []
    for label, share in QUANTILES if len(ranked) else ():
        row, col = divmod(int(ranked[round(share * (len(ranked) - 1))]), angles.shape[1])
        lines = [axis.line("truth", "truth", shown.case.truth[:, row, col].double().numpy())]
        styles = ("held-out", *STYLES)
        for (who, y), style in zip(shown.predictions.items(), styles, strict=False):
            lines.append(axis.line(_call(who), style, y[:, row, col].double().numpy()))
        title = f"{label[:1].upper()}{label[1:]}: row {row}, column {col} of {name}, {angles[row, col]:.2f}°"
        charts.append(LineChart(title, lines, axis.label, file.unit or "value"))
    return charts


def chart_band_errors(result: Mapping[str, Any], file: PatchFile) -> LineChart:
    """The error of the model and of at most two baselines at each band."""
    axis, errors = BandAxis(file), result["rmse_per_band"]
    shown = [name for name in errors if name != "mean_spectrum"][:3]
    lines = [
        axis.line(_call(name), style, [np.nan if v is None else v for v in errors[name]])
        for name, style in zip(shown, ("held-out", *STYLES), strict=False)
    ]
    return LineChart("Root mean square error by band", lines, axis.label, file.unit or "value")
