"""Whether the values of a scene can be those that a network was trained on: by what is stated, and by their size."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from rsforge.data.cubes.cube import F32, F64
from rsforge.data.io.windows import Window
from rsforge.data.scenes.landsat_scene import LandsatScene
from rsforge.data.scenes.sample_windows import spread_windows
from rsforge.errors import RsforgeError

HALF = 0.5
MOST_NEGATIVE = 0.01
"""The share of negative values that is noise, as in trainings."""

DARKEST, BRIGHTEST = 0.05, 1.0
"""Of the range that the training saw: the brightest values of a scene lie above, its middle below this much over it."""

_RADIANCE = re.compile(r"radiance|\bsr\b|sr[-^⁻]|/sr|w/m|[uµμ]w", re.IGNORECASE)
_SIGNS = str.maketrans({"μ": "u", "µ": "u", "⁻": "-", "¹": "1", "²": "2", "·": "", "*": "", "^": "", "_": "", " ": ""})


def kind_of(unit: str) -> str:
    """``reflectance`` or ``radiance`` for a unit as files state it, "" for another one."""
    if "reflectance" in unit.casefold() or unit.strip() == "1":
        return "reflectance"
    return "radiance" if _RADIANCE.search(unit) else ""


def are_same(unit: str, other: str) -> bool:
    """Whether two units are the same but for signs and blanks, or one of them is only the name of their kind."""
    one, two = (text.casefold().translate(_SIGNS) for text in (unit, other))
    return one == two or (kind_of(unit) == kind_of(other) != "" and bool({one, two} & {"radiance", "reflectance", "1"}))


@dataclass(frozen=True)
class ValueSample:
    """Valid pixels ``(n, bands)`` of Landsat from the file ``where``, and the unit that it states, "" for none.

    ``remedy`` says how values of another scale are put right.
    """

    name: str
    where: str
    unit: str
    pixels: F32
    remedy: str


def check_values(
    scene: LandsatScene, unit: str, low: F64, high: F64, *, stated: bool, size: int = 64, most: int = 6
) -> list[str]:
    """:func:`check_sample` of a sample of a scene."""
    pixels = _sample(scene, spread_windows(scene.info.height, scene.info.width, size, most))
    path, remedy = scene.info.path, "declare its nodata value, or correct its scale by --scale-offset"
    return check_sample(ValueSample(path.name, str(path), scene.unit, pixels, remedy), unit, low, high, stated=stated)


def check_sample(sample: ValueSample, unit: str, low: F64, high: F64, *, stated: bool) -> list[str]:
    """Sentences on what is unusual in ``sample`` for a training whose values have ``unit`` and mostly lie from
    ``low`` to ``high``, each ``(1,)`` or ``(bands,)``.

    RSF-D010 where the units differ; where one of them is unknown and values are too dark or too bright for the
    training's, both unless it is ``stated`` that they are in its unit; where more than ``MOST_NEGATIVE`` of radiances
    are negative, or unless it is ``stated`` more than half of any values.
    """
    where, name = sample.where, sample.name
    notes: list[str] = []
    same = bool(unit and sample.unit) and are_same(unit, sample.unit)
    fix = "convert it, or state by --values training that its values are in the unit of the training"
    if unit and sample.unit and not same and not stated:
        found = f"{sample.unit} in the file, {unit} in the training"
        raise RsforgeError(
            "RSF-D010", f"{name} is in another unit than the training", where=where, found=found, fix=fix
        )
    if not sample.pixels.size:
        return notes
    if not same:
        notes.append(f"{name}: {_unknown(sample.unit, unit)}; its values are taken as those of the training")
    problem = _describe_size(sample.pixels, low, high)
    if problem and not (same or stated):
        what = f"{name} cannot be in the unit of the training ({unit or 'not stated'}): {problem}"
        raise RsforgeError("RSF-D010", what, where=where, fix=fix)
    if problem:
        notes.append(f"{name}: {problem}")
    return notes + _check_negative(sample, unit, stated=stated)


def _unknown(scene: str, training: str) -> str:
    if not scene:
        return f"it states no unit, the training {training or 'none either'}"
    return f"it states {scene!r}, the training {training!r}" if training else "the training states no unit"


def _sample(scene: LandsatScene, windows: list[Window]) -> F32:
    """Valid pixels ``(n, bands)``."""
    parts = [scene.read(window).reshape(scene.info.bands, -1).T for window in windows]
    pixels = np.concatenate(parts)
    return pixels[np.isfinite(pixels).all(axis=1)]


def _describe_size(sample: F32, low: F64, high: F64) -> str:
    """Why the values are not those of the training, as a clause; "" when they may be."""
    unit = (sample - low) / np.where(high > low, high - low, 1)
    seen = f"the training saw {low.min():.3g} to {high.max():.3g}, most of its values are"
    bright, middle = float(np.percentile(unit, 99)), float(np.median(unit))
    if bright < DARKEST:
        return f"{seen} below {np.percentile(sample, 99):.3g}"
    return f"{seen} above {np.median(sample):.3g}" if middle > 1 + BRIGHTEST else ""


def _check_negative(sample: ValueSample, unit: str, *, stated: bool) -> list[str]:
    share = float((sample.pixels < 0).mean())
    if share <= MOST_NEGATIVE:
        return []
    found = f"{share:.1%} of its values are negative, down to {sample.pixels.min():.3g}"
    if kind_of(unit or sample.unit) == "radiance":
        what = "radiance cannot be negative"
        if kind_of(sample.unit) != "radiance":
            what = f"{sample.name} cannot be in the unit of the training ({unit}): radiance cannot be negative"
        raise RsforgeError("RSF-D010", what, where=sample.where, found=found, fix=sample.remedy)
    if share > HALF and not stated:
        what, fix = f"{sample.name} cannot be in the unit of the training", f"{sample.remedy}, or say --values training"
        raise RsforgeError("RSF-D010", what, where=sample.where, found=found, fix=fix)
    return [f"{sample.name}: {found}"]
