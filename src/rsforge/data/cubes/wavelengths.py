"""Wavelengths as files give them, in nanometres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rsforge.data.io.image_reader import UnreadableError
from rsforge.errors import RsforgeError

F64 = npt.NDArray[np.float64]

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_NAMED = re.compile(rf"({_NUMBER})\s*(nm|nano\w*|um|µm|μm|micro\w*|micron\w*)\b", re.IGNORECASE)
MAX_TEXT = 16 << 20
FIELDS = ("wavelength", "wavelengths", "wavelength_nm", "wavelengths_nm", "center_wavelengths", "lambda")
UNSTATED = ("", "unknown", "none")
WIDTH_FIELDS = ("fwhm", "fwhm_nm", "fwhms")


class WavelengthError(UnreadableError):
    """What a file gives for wavelengths and cannot be them."""


def in_nm(values: F64, unit: str = "") -> tuple[F64, str]:
    """``values`` in nanometres and, where their magnitude decided the unit, the sentence that says so.

    Nothing that is lit by the Sun is seen below 100 nm or beyond 100 micrometres. Any other unit raises
    ``WavelengthError``.
    """
    named = unit.strip().lower()
    if named.startswith(("nm", "nano")):
        return values, ""
    if named.startswith(("um", "µm", "μm", "micro")):
        return values * 1000, ""
    if named not in UNSTATED:
        raise WavelengthError(f"their unit is {unit.strip()!r}, not nanometres or micrometres")
    low, high = float(np.min(values)), float(np.max(values))
    if high < 100:
        return values * 1000, f"wavelengths of {low:g} to {high:g} are taken as micrometres"
    return values, f"wavelengths of {low:g} to {high:g} are taken as nanometres"


def sound(values: F64) -> F64:
    """``values`` when they may be wavelengths: finite, positive, each once; ``WavelengthError`` otherwise."""
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        raise WavelengthError(f"{wrong[0]:g} is none")
    each, counts = np.unique(values, return_counts=True)
    if each.size < values.size:
        raise WavelengthError(f"{each[counts.argmax()]:g} is given for {counts.max()} bands")
    return values


def credible(values: F64, bands: int) -> bool:
    """Whether ``values`` may be the widths of ``bands`` bands."""
    return values.shape == (bands,) and bool(np.isfinite(values).all()) and bool((values > 0).all())


def from_names(names: Sequence[str]) -> F64 | None:
    """Wavelengths ``(B,)`` in nm that band names carry, as in ``376.44 Nanometers``; None unless every name does."""
    found = [_NAMED.search(name) for name in names]
    values = [in_nm(np.array([float(m[1])]), m[2])[0][0] for m in found if m]
    return sound(np.array(values)) if values and len(values) == len(names) else None


def read_table(path: Path) -> tuple[F64, F64 | None, str]:
    """Wavelengths and widths (FWHM) in nm of a text table, and the sentence about their unit.

    Columns are separated by blanks, tabs, commas or semicolons; lines without numbers are headings. A first column that
    counts is left out, the next are wavelength and FWHM; what cannot be a width is left alone. RSF-D006 for other
    files, RSF-D014 for numbers that are no wavelengths.
    """
    rows = _rows(path)
    table = np.array([row[: min(map(len, rows))] for row in rows])
    index = np.arange(len(table))
    if table.shape[1] > 1 and any(np.array_equal(table[:, 0], index + first) for first in (0, 1)):
        table = table[:, 1:]
    try:
        wavelength = sound(table[:, 0])
    except WavelengthError as reason:
        raise unusable(path, reason) from None
    wavelength_nm, sentence = in_nm(wavelength)
    to_nm = wavelength_nm[0] / wavelength[0]
    width = table[:, 1] if table.shape[1] > 1 and _are_widths(table[:, 1], wavelength) else None
    return wavelength_nm, None if width is None else width * to_nm, sentence


def unusable(path: Path, reason: WavelengthError) -> RsforgeError:
    """RSF-D014 for a file whose wavelengths are none."""
    what = f"the wavelengths of {path.name} cannot be used: {reason}"
    return RsforgeError("RSF-D014", what, where=str(path), fix="give those of the cube with --wavelengths")


def _are_widths(values: F64, wavelength: F64) -> bool:
    """Bands are about as wide as they are apart; spectra beside wavelengths are not."""
    apart = float(np.median(np.abs(np.diff(wavelength)))) if len(wavelength) > 1 else float(wavelength[0])
    return bool(((values > 0.3 * apart) & (values < 5 * apart)).all())


def _rows(path: Path) -> list[list[float]]:
    if path.stat().st_size > MAX_TEXT:
        raise RsforgeError("RSF-D006", f"{path.name} is too large for a table of wavelengths", where=str(path))
    lines = path.read_bytes().decode("utf-8-sig", errors="replace").splitlines()
    rows = [row for line in lines if (row := _numbers(line))]
    if not rows:
        raise RsforgeError("RSF-D006", f"{path.name} holds no wavelengths", where=str(path))
    return rows


def _numbers(line: str) -> list[float]:
    try:
        return [float(word) for word in re.split(r"[\s,;]+", line.strip()) if word]
    except ValueError:
        return []
