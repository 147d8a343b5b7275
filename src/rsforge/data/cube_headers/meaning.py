"""The meaning of the bands of a cube: one record, read in the same way from what any format says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.bands.keys import WORDS, Said, find_misspelling, simplify, understand
from rsforge.data.cube_headers.numbers import as_text, doubt_commas, parse_numbers, parse_so_many
from rsforge.data.cube_headers.wavelengths import (
    MAX_TEXT,
    WavelengthError,
    are_valid_widths,
    are_widths,
    factor_to_nm,
    parse_names,
    require_valid,
    to_nanometres,
)
from rsforge.data.io.image_reader import UnreadableError
from rsforge.wording import count_noun

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MOST_NAMED = 6
_PERCENT = {"%", "percent", "per cent", "pct", "percentage", "reflectance (%)", "percent reflectance"}


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class BandMeanings:
    """What a file says of ``good (B,)`` bands, which are all good where it does not judge them.

    ``wavelength_nm`` and ``fwhm_nm`` ``(B,)`` are None where they are not stated. Values in ``unit`` are the stored
    ones times ``scale (B,)`` plus ``offset (B,)``, None where nothing is to do. ``fill`` is the stored value of pixels
    without data, None where none is declared; stored values outside ``valid_range`` are none either. ``notes`` say what
    was inferred, applied, or not understood.
    """

    good: Mask
    wavelength_nm: F64 | None = None
    fwhm_nm: F64 | None = None
    unit: str = ""
    scale: F64 | None = None
    offset: F64 | None = None
    fill: float | None = None
    valid_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def select(self, bands: npt.NDArray[np.int64]) -> BandMeanings:
        """The meanings of some bands, or of all in another order."""

        def choose(values: F64 | None) -> F64 | None:
            return None if values is None else values[bands]

        return replace(
            self,
            good=self.good[bands],
            wavelength_nm=choose(self.wavelength_nm),
            fwhm_nm=choose(self.fwhm_nm),
            scale=choose(self.scale),
            offset=choose(self.offset),
        )


@dataclass
class _Header:
    """What a file says, by meaning; ``names`` are the file's own names of what was taken."""

    bands: int
    values: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def number(self, meaning: str) -> float | None:
        """One number; ``UnreadableError`` for other values."""
        if meaning not in self.values:
            return None
        numbers = parse_so_many(self.values[meaning], (1,))
        if numbers is None or len(numbers) != 1:
            raise UnreadableError(f"its header says {self.quote(meaning)}, no number")
        return float(numbers[0])

    def per_band(self, meaning: str) -> F64 | None:
        """A finite number a band, one for all repeated; ``UnreadableError`` for other values."""
        if meaning not in self.values:
            return None
        numbers = parse_so_many(self.values[meaning], (1, self.bands))
        if numbers is None or len(numbers) not in (1, self.bands) or not np.isfinite(numbers).all():
            doubt = doubt_commas(self.values[meaning], self.bands)
            wanted = count_noun(self.bands, "number")
            raise UnreadableError(f"its header says {self.quote(meaning)}, not {wanted}{doubt}")
        return np.broadcast_to(numbers, self.bands).copy()

    def quote(self, meaning: str) -> str:
        return f"{self.names[meaning]} = {_shorten(self.values[meaning])!r}"


def read_meanings(
    said: Said, bands: int, *, own_wavelengths: bool = True, names: Sequence[str] = (), benign: Sequence[str] = ()
) -> BandMeanings:
    """The meanings of ``bands`` bands of what a file says; without ``own_wavelengths`` those of it are left aside.

    Wavelengths stand in fields of many spellings, else in the ``names`` of bands. ``benign`` are fields that say
    nothing of values. ``WavelengthError`` for wavelengths that cannot be; ``UnreadableError`` for a list of another
    length, a value that is none, and a field that is spelled nearly as one that is missing.
    """
    header = _sort(said, bands, {simplify(key) for key in benign})
    notes: list[str] = []
    wavelength, fwhm = (None, None)
    if own_wavelengths:
        wavelength, fwhm = _read_spectrum(header, names, notes)
    scale, offset = _read_scaling(header, notes)
    if header.unknown:
        shown = ", ".join(header.unknown[:_MOST_NAMED]) + (" ..." if len(header.unknown) > _MOST_NAMED else "")
        notes.append(f"its header also says {shown}, which is not used")
    return BandMeanings(
        good=_read_good(header),
        wavelength_nm=wavelength,
        fwhm_nm=fwhm,
        unit=_shorten(header.values.get("unit", ""), 80),
        scale=scale,
        offset=offset,
        fill=header.number("fill"),
        valid_range=_read_valid_range(header),
        notes=tuple(notes),
    )


def _sort(said: Said, bands: int, benign: set[str]) -> _Header:
    header = _Header(bands)
    unknown = []
    for key, value in said.items():
        meaning, unit = understand(key)
        if meaning and meaning not in header.values:
            header.values[meaning], header.names[meaning] = value, key
            if unit:
                header.units[meaning] = unit
        elif meaning:
            header.unknown.append(key)
        elif simplify(key) not in benign:
            unknown.append(key)
    for key in unknown:
        if near := find_misspelling(key, header.values):
            raise UnreadableError(f"its header says {key!r}, which is not understood: it is spelled {near!r}")
    header.unknown += unknown
    return header


def _read_spectrum(header: _Header, names: Sequence[str], notes: list[str]) -> tuple[F64 | None, F64 | None]:
    """Wavelengths and widths in nm."""
    if "wavelength" not in header.values:
        names = names or [name.strip() for name in _shorten(header.values.get("band names", ""), MAX_TEXT).split(",")]
        named = parse_names(names)
        if named is None or len(named) != header.bands:
            return None, None
        notes.append("wavelengths come from the names of the bands")
        return named, None
    stated = header.values.get("wavelength")
    values = parse_so_many(stated, (header.bands,))
    each = parse_names([str(text) for text in stated]) if values is None and isinstance(stated, list) else None
    if each is not None and len(each) == header.bands:
        return each, None  # every one with its unit
    if values is None:
        raise WavelengthError(f"{_shorten(stated)!r} are no numbers")
    if len(values) != header.bands:
        doubt = doubt_commas(stated, header.bands)
        raise WavelengthError(f"there are {len(values)} for {count_noun(header.bands, 'band')}{doubt}")
    unit = header.units.get("wavelength") or _shorten(header.values.get("wavelength unit", ""))
    wavelength_nm, note = to_nanometres(require_valid(values), unit)
    notes.extend(filter(None, [note]))
    widths = parse_so_many(header.values["fwhm"], (header.bands,)) if "fwhm" in header.values else None
    if "fwhm" in header.values and (widths is None or not are_valid_widths(widths, header.bands)):
        notes.append(f"{header.names['fwhm']} holds no width of each band, and is not used")
        widths = None
    if widths is None:
        return wavelength_nm, None
    unit_of_widths = header.units.get("fwhm") or _shorten(header.values.get("fwhm unit", ""))
    widths_nm = widths * (factor_to_nm(unit_of_widths) if unit_of_widths else wavelength_nm[0] / values[0])
    if any(are_widths(widths_nm * by, wavelength_nm) for by in (1000, 0.001)) and not are_widths(
        widths_nm, wavelength_nm
    ):
        raise WavelengthError(
            f"their widths of {widths_nm.min():g} to {widths_nm.max():g} nm contradict their distances: another unit?"
        )
    return wavelength_nm, widths_nm


def _read_scaling(header: _Header, notes: list[str]) -> tuple[F64 | None, F64 | None]:
    """The factor and the summand of each band: gain and offset first, then a division by the scale of reflectance."""
    _choose_gains(header)
    gain, offset = header.per_band("gain"), header.per_band("offset")
    factor, divisor = header.per_band("scale"), header.per_band("divisor")
    for name, values in (("scale", factor), ("divisor", divisor)):
        if values is not None and not (values > 0).all():
            raise UnreadableError(f"its header says {header.names[name]} = {values.min():g}, by which nothing scales")
    if factor is not None and _divides(header.names["scale"], factor):
        divisor, factor = factor if divisor is None else divisor, None
    if gain is not None and divisor is not None and np.allclose(gain * divisor, 1):
        notes.append(f"its {header.names['gain']} and {header.names['divisor']} say the same, which is applied once")
        gain = None
    scale = gain
    if factor is not None:
        scale = factor if gain is None else gain * factor
    if divisor is not None:
        scale = (1.0 if scale is None else scale) / divisor
        offset = None if offset is None else offset / divisor
    if _shorten(header.values.get("unit", "")).strip().lower() in _PERCENT:
        scale = (np.ones(header.bands) if scale is None else scale) / 100
        offset = None if offset is None else offset / 100
        header.names.setdefault("divisor", header.quote("unit"))
        header.values["unit"] = "1"
    scale = None if scale is None or (scale == 1).all() else scale
    offset = None if offset is None or not offset.any() else offset
    if scale is not None or offset is not None:
        said = [header.names[name] for name in ("gain", "scale", "divisor", "offset") if name in header.names]
        by = "" if scale is None else f" times {_show(scale)}"
        plus = "" if offset is None else f" plus {_show(offset)}"
        notes.append(f"values are the stored ones{by}{plus}, by its {' and '.join(said)}")
    return scale, offset


def _choose_gains(header: _Header) -> None:
    """Let gains that make reflectance stand for those of the header where it has no others."""
    free = not {"gain", "offset"} & header.values.keys()
    for own, meaning in (("reflectance gain", "gain"), ("reflectance offset", "offset")):
        if own in header.values and free:
            header.values[meaning], header.names[meaning] = header.values[own], header.names[own]
        elif own in header.values:
            header.unknown.append(header.names[own])


def _read_valid_range(header: _Header) -> tuple[float, float] | None:
    """The least and the greatest stored value of a measurement; None where nothing is said of them."""
    if "valid range" in header.values:
        both = parse_so_many(header.values["valid range"], (2,))
        if both is None or len(both) != 2:
            raise UnreadableError(f"its header says {header.quote('valid range')}, not two numbers")
        return float(both[0]), float(both[1])
    low, high = header.number("valid min"), header.number("valid max")
    if low is None and high is None:
        return None
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def _divides(name: str, factor: F64) -> bool:
    """Whether values are divided by a scale factor: one above 1, but for the attribute ``scale_factor`` of netCDF."""
    return name != "scale_factor" and bool((factor > 1).all())


def _read_good(header: _Header) -> Mask:
    """The bands that the file calls good; ``UnreadableError`` for a list of another length, or other words."""
    good = np.ones(header.bands, bool)
    for meaning, value_of_good in (("good", True), ("bad", False)):
        if meaning not in header.values:
            continue
        marks = parse_numbers(header.values[meaning], WORDS)
        name = header.names[meaning]
        if marks is None:
            raise UnreadableError(f"its {name} is {_shorten(header.values[meaning])!r}, not 1 or 0 for each band")
        if len(marks) != header.bands:
            reason = f"its {name} marks {len(marks)} bands, and there are {header.bands}"
            raise UnreadableError(reason, fix=f"correct {name}, or remove it and leave bands out by --drop-nm")
        good &= (marks != 0) == value_of_good
    return good


def _shorten(value: Any, most: int = 40) -> str:
    array = np.asarray(value)
    text = as_text(array.item()) if array.size == 1 else ", ".join(as_text(v) for v in array.ravel()[:most].tolist())
    return text[:most]


def _show(values: F64) -> str:
    return f"{values[0]:g}" if (values == values[0]).all() else f"{values.min():g} to {values.max():g}"
