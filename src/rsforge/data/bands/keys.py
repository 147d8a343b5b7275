"""The names under which files say something of their bands, as many programs spell them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Said = Mapping[str, Any]
"""What a file says, by the name that the file has for it: text, numbers, or an array of either."""

SPELLINGS: dict[str, tuple[str, ...]] = {
    "wavelength": (
        "wavelength", "wavelengths", "center wavelength", "center wavelengths", "centre wavelength",
        "centre wavelengths", "central wavelength", "central wavelengths", "band wavelength", "band wavelengths",
        "band center", "band centers", "band centre", "band centres", "lambda", "wl", "wvl", "wvls",
    ),
    "fwhm": ("fwhm", "fwhms", "full width at half maximum", "bandwidth", "bandwidths", "band width", "band widths"),
    "wavelength unit": (
        "wavelength units", "wavelength unit", "wavelengths units", "wavelengths unit", "units of wavelength",
        "unit of wavelength", "wavelength uom",
    ),
    "fwhm unit": ("fwhm units", "fwhm unit"),
    "good": (
        "bbl", "bad band list", "bad bands list", "good", "good bands", "good band", "good wavelengths",
        "good bands list", "good band list", "good band mask", "good bands mask",
    ),
    "bad": ("bad band mask", "bad bands mask", "bad bands", "bad band", "is bad", "bad wavelengths"),
    "gain": ("data gain values", "data gain", "gain", "gains", "gain values", "slope"),
    "reflectance gain": ("data reflectance gain values", "data reflectance gain", "reflectance gain values"),
    "scale": ("scale factor", "scale factors", "scale", "scaling factor"),
    "divisor": ("reflectance scale factor", "reflectance scale", "quantification value"),
    "offset": ("data offset values", "data offset", "offset", "offsets", "offset values", "add offset", "intercept"),
    "reflectance offset": ("data reflectance offset values", "data reflectance offset", "reflectance offset values"),
    "fill": (
        "data ignore value", "ignore value", "fill value", "no data value", "no data", "missing value", "fill",
        "background value",
    ),
    "valid range": ("valid range",),
    "valid min": ("valid min",),
    "valid max": ("valid max",),
    "unit": ("data units", "data unit", "units", "unit", "z units"),
    "band names": ("band names",),
}  # fmt: skip
WORDS = {"true": 1.0, "good": 1.0, "yes": 1.0, "t": 1.0, "false": 0.0, "bad": 0.0, "no": 0.0, "f": 0.0}
"""Words for the numbers that mark good and bad bands."""

SUFFIXES = {"nm": "nm", "nanometers": "nm", "nanometres": "nm", "um": "um", "micrometers": "um", "micrometres": "um"}
_WITH_UNIT = ("wavelength", "fwhm")
_STEMS = (
    "wave", "fwhm", "scal", "gain", "offset", "factor", "slope", "intercept", "multipli", "nodata", "fill", "ignore",
    "badband", "goodband", "bbl", "valid",
)  # fmt: skip
_CLOSE = 0.87
_SUFFIX = re.compile(r"(?<=[^A-Za-z])(nm|um|nanomet(?:er|re)s|micromet(?:er|re)s)$")


def simplify(key: str) -> str:
    """A name without case and separators: ``Wavelength_Units`` and ``wavelength units`` are one."""
    return re.sub(r"[\W_]+", "", key).lower()


_MEANINGS = {simplify(spelling): meaning for meaning, names in SPELLINGS.items() for spelling in names}


def understand(key: str) -> tuple[str, str]:
    """What is said under a name, one of ``SPELLINGS``, and the unit that ends the name; both "" where nobody knows."""
    if meaning := _MEANINGS.get(simplify(key), ""):
        return meaning, ""
    text = key.strip(" \t)]").lower()
    found = _SUFFIX.search(text)
    meaning = _MEANINGS.get(simplify(text[: found.start()]), "") if found else ""
    return (meaning, SUFFIXES[found[1]]) if found and meaning in _WITH_UNIT else ("", "")


def is_good(text: str) -> bool:
    """Whether the mark of a band calls it good, in numbers or words."""
    return WORDS.get(text.strip().lower(), text.strip() not in ("0", "0.0")) != 0


def find_misspelling(key: str, known: Iterable[str]) -> str:
    """The spelling that a name is nearly, of a meaning that none of the ``known`` ones is; "" for none."""
    open_names = {name: meaning for name, meaning in _MEANINGS.items() if meaning not in set(known)}
    close = difflib.get_close_matches(simplify(key), open_names, 1, _CLOSE)
    if not close:
        return ""
    return next(name for name in SPELLINGS[open_names[close[0]]] if simplify(name) == close[0])


def concerns_values(key: str) -> bool:
    """Whether a name sounds as if what it says changed the values or the bands."""
    text = simplify(key)
    return any(stem in text for stem in _STEMS)


def name_concerning(keys: Sequence[str]) -> list[str]:
    """Of names that are not understood those that sound as if they changed values or bands."""
    return [key for key in keys if not understand(key)[0] and concerns_values(key)]
