"""Wavelengths from metadata, band names and text tables, converted to nanometres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.tables.characters import CharacterError, decode_text
from rsforge.errors import RsforgeError

F64 = npt.NDArray[np.float64]

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_PLAIN = re.compile(r"\s*\d+(\.\d*)?\s*")
_NAMED = re.compile(rf"({_NUMBER})\s*(nm|nano\w*|um|µm|μm|micro\w*|micron\w*)\b", re.IGNORECASE)
MAX_TEXT = 16 << 20
FIELDS = ("wavelength", "wavelengths", "wavelength_nm", "wavelengths_nm", "center_wavelengths", "lambda")
UNSTATED = ("", "unknown", "none")
LEAST_PLAIN_NM = 300.0
LEAST_NM, LARGEST_NM = 100.0, 100_000.0
MOST_DETECTORS = 4
WIDTH_FIELDS = ("fwhm", "fwhm_nm", "fwhms")


class WavelengthError(UnreadableError):
    """Values in a file that cannot be wavelengths, with the reason."""


def to_nanometres(values: F64, unit: str = "") -> tuple[F64, str]:
    """``values`` in nanometres and, where the unit was inferred from their magnitude, a sentence that says so.

    Optical sensors measure between 100 nm and 100 micrometres: values below 100 are micrometres. Another unit raises
    ``WavelengthError``, and so does one in which they would lie elsewhere.
    """
    low, high = float(np.min(values)), float(np.max(values))
    if unit.strip().lower() not in UNSTATED:
        factor = factor_to_nm(unit)
        if low * factor < LEAST_NM or high * factor > LARGEST_NM:
            raise WavelengthError(
                f"their unit is {unit.strip()!r}, and no optical sensor measures at {low:g} to {high:g} of it; correct "
                "the unit"
            )
        return values * factor, ""
    if high < 100:
        return values * 1000, f"wavelengths of {low:g} to {high:g} are read as micrometres"
    return values, f"wavelengths of {low:g} to {high:g} are read as nanometres"


def factor_to_nm(unit: str) -> float:
    """The nanometres in a unit of wavelengths; ``WavelengthError`` for a unit that is none of nm and µm."""
    named = unit.strip().lower()
    if named.startswith(("nm", "nano")):
        return 1.0
    if named.startswith(("um", "µm", "μm", "micro")):
        return 1000.0
    raise WavelengthError(f"their unit is {unit.strip()!r}, not nanometres or micrometres")


def require_valid(values: F64) -> F64:
    """Return ``values`` if they are finite, positive and all different; ``WavelengthError`` otherwise."""
    wrong = values[~(np.isfinite(values) & (values > 0))]
    if wrong.size:
        raise WavelengthError(f"{wrong[0]:g} is none")
    each, counts = np.unique(values, return_counts=True)
    if each.size < values.size:
        raise WavelengthError(f"{each[counts.argmax()]:g} is given for {counts.max()} bands")
    return values


def are_valid_widths(values: F64, bands: int) -> bool:
    """Whether ``values`` can be the widths of ``bands`` bands: as many, finite and positive."""
    return values.shape == (bands,) and bool(np.isfinite(values).all()) and bool((values > 0).all())


def require_order(wavelength_nm: F64) -> npt.NDArray[np.int64] | None:
    """The bands by rising wavelength ``(B,)``, None where they rise already; ``WavelengthError`` for no such order.

    Detectors overlap, so that wavelengths may fall where the next detector begins, which then begins and ends beyond
    the former one. At most ``MOST_DETECTORS`` are sorted. More falls, or others, are a list of other bands.
    """
    falls = np.flatnonzero(np.diff(wavelength_nm) < 0)
    if not len(falls):
        return None
    k = int(falls[0])
    if len(falls) >= min(MOST_DETECTORS, len(wavelength_nm) - 1):
        raise WavelengthError(f"they do not rise: {wavelength_nm[k + 1]:g} nm follows {wavelength_nm[k]:g} nm")
    begins, ends = wavelength_nm[[0, *(falls + 1)]], wavelength_nm[[*falls, -1]]
    for bounds in (begins, ends):
        if (np.diff(bounds) <= 0).any():
            raise WavelengthError(f"they are in no order: {wavelength_nm[k + 1]:g} nm follows {wavelength_nm[k]:g} nm")
    order: npt.NDArray[np.int64] = np.argsort(wavelength_nm)
    return order


def parse_names(names: Sequence[str]) -> F64 | None:
    """Wavelengths ``(B,)`` in nm from band names such as ``376.44 Nanometers``; None unless every name has one.

    Names that are rising numbers above 300 alone are nanometres: numbers of bands begin at 1.
    """
    if len(names) > 1 and all(_PLAIN.fullmatch(name) for name in names):
        plain = np.array([float(name) for name in names])
        return plain if plain[0] > LEAST_PLAIN_NM and (np.diff(plain) > 0).all() else None
    found = [_NAMED.search(name) for name in names]
    values = [to_nanometres(np.array([float(m[1])]), m[2])[0][0] for m in found if m]
    return require_valid(np.array(values)) if values and len(values) == len(names) else None


def read_table(path: Path) -> tuple[F64, F64 | None, str]:
    """Wavelengths and widths (FWHM) in nm from a text table, and a sentence about their unit.

    Columns are separated by blanks, tabs, commas or semicolons; lines without numbers are headings. A first column of
    row numbers is skipped; the next columns are wavelength and FWHM, the latter ignored where its values cannot be
    widths. RSF-D006 for files that are no such table, RSF-D014 for numbers that are no wavelengths.
    """
    rows = _read_rows(path)
    table = np.array([row[: min(map(len, rows))] for row in rows])
    index = np.arange(len(table))
    if table.shape[1] > 1 and any(np.array_equal(table[:, 0], index + first) for first in (0, 1)):
        table = table[:, 1:]
    try:
        wavelength = require_valid(table[:, 0])
    except WavelengthError as reason:
        raise wavelength_error(path, reason) from None
    wavelength_nm, sentence = to_nanometres(wavelength)
    to_nm = wavelength_nm[0] / wavelength[0]
    width = table[:, 1] if table.shape[1] > 1 and are_widths(table[:, 1], wavelength) else None
    return wavelength_nm, None if width is None else width * to_nm, sentence


def wavelength_error(path: Path, reason: WavelengthError) -> RsforgeError:
    """RSF-D014 for a file with invalid wavelengths."""
    what = f"the wavelengths of {path.name} cannot be used: {reason}"
    return RsforgeError("RSF-D014", what, where=str(path), fix="give those of the cube with --wavelengths")


def are_widths(values: F64, wavelength: F64) -> bool:
    """Whether values are 0.3 to 5 times the distance of bands, as widths are and spectra are not."""
    apart = float(np.median(np.abs(np.diff(wavelength)))) if len(wavelength) > 1 else float(wavelength[0])
    return bool(((values > 0.3 * apart) & (values < 5 * apart)).all())


def _read_rows(path: Path) -> list[list[float]]:
    if path.stat().st_size > MAX_TEXT:
        raise RsforgeError("RSF-D006", f"{path.name} is too large for a table of wavelengths", where=str(path))
    lines = _write_points(decode_table(path.read_bytes())).splitlines()
    rows = [row for line in lines if (row := _parse_numbers(line))]
    if not rows:
        raise RsforgeError("RSF-D006", f"{path.name} holds no wavelengths", where=str(path))
    return rows


def decode_table(data: bytes) -> str:
    """A table of numbers as text, in whatever encoding; letters of a heading that cannot be read are replaced."""
    try:
        return decode_text(data).text
    except CharacterError:
        return data.decode("utf-8-sig", errors="replace")


def _write_points(text: str) -> str:
    """``text`` with points for the commas of decimals, where semicolons or tabs separate columns, as in Europe."""
    lines = [line for line in text.splitlines() if re.search(r"\d", line)]
    decimals = [line for line in lines if re.search(r"\d,\d", line) and re.search(r"[;\t]", line)]
    if any("." in line for line in lines) or 2 * len(decimals) <= len(lines):
        return text
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def _parse_numbers(line: str) -> list[float]:
    try:
        return [float(word) for word in re.split(r"[\s,;]+", line.strip()) if word]
    except ValueError:
        return []
