"""The meaning of a band: its role, name, wavelength, unit, scale, offset and fill value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

RED, GREEN, BLUE = COLOURS = ("red", "green", "blue")
POLARISATIONS = ("vv", "vh", "hh", "hv")
NO_BACKSCATTER = "no backscatter"
"""The role of a band beside radar images that holds angles, masks or ratios."""

_POLARISATION = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(?![a-z])")
_BESIDE_RADAR = re.compile(
    r"(?<![a-z])(angles?|inc(idence)?|lia|mask|layover|shadow|ratio|dem|elevation|quality)(?![a-z])"
)
_ANGLE = re.compile(r"incidence ?angle|angle$", re.IGNORECASE)
_DESIGNATION = re.compile(r"(?:.*[^a-z0-9])?b(?:and)?[ _-]?(\d{1,2}a?)", re.IGNORECASE)
# English, German, French, Spanish, Italian, Portuguese and Dutch, without accents.
_COLOUR_WORDS = {
    RED: "red rot rouge rojo rosso vermelho rood",
    GREEN: "green grun gruen vert verde groen",
    BLUE: "blue blau bleu azul blu blauw",
    "nir": "nir pir infrared infrarot infrarouge infrarrojo infrarosso infravermelho infrarood",
}
_WORDS = {word: role for role, words in _COLOUR_WORDS.items() for word in words.split()} | {"pan": "pan"}
_LETTERS = {"r": RED, "g": GREEN, "b": BLUE, "n": "nir"}
_FILLERS = {
    "band", "sr", "toa", "boa", "surface", "reflectance", "radiance", "near", "channel", "msi", "oli", "s2",
    "nahes", "proche", "cercano", "vicino", "proximo", "nabij", "bande", "banda", "kanal", "canal", "gray", "grey",
    "nm", "um",
}  # fmt: skip
# Central wavelengths in nm: Sentinel-2 MSI (document S2-PDGS-TAS-DI-PSD), and OLI of Landsat 8 and 9.
_MSI = {
    "1": 443, "2": 490, "3": 560, "4": 665, "5": 705, "6": 740, "7": 783, "8": 842, "8A": 865, "9": 945, "10": 1375,
    "11": 1610, "12": 2190,
}  # fmt: skip
OLI = {"1": 443, "2": 482, "3": 561, "4": 655, "5": 865, "6": 1609, "7": 2201, "9": 1373}
TM = {"1": 485, "2": 560, "3": 660, "4": 830, "5": 1650, "7": 2215}
_ROLES_NM = {BLUE: 490.0, GREEN: 560.0, RED: 660.0, "nir": 850.0}
_NEAR_NM = 40.0


@dataclass(frozen=True)
class BandMeaning:
    """What a file says of a band.

    ``name`` is its description; ``role`` red, green, blue, grey, nir, pan, alpha, a polarisation, ``NO_BACKSCATTER``,
    or "" where nobody says it. ``scale`` and ``offset`` make values in ``unit`` of those that are stored; ``good`` is
    False for a band that the file calls bad; ``fill`` is the stored value of pixels without data.
    """

    name: str = ""
    role: str = ""
    wavelength_nm: float | None = None
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    good: bool = True
    fill: float | None = None


def find_roles(meanings: Sequence[BandMeaning]) -> tuple[BandMeaning, ...]:
    """``meanings`` with the roles that their names say.

    A role from elsewhere, as from a colour interpretation, stays where no name says another: GDAL calls the bands of
    any 8-bit file red, green and blue.
    """
    meanings = _add_wavelengths(meanings)
    named = [_role_of(meaning) for meaning in meanings]
    if set(COLOURS) <= set(named) or any(role in POLARISATIONS for role in named):
        return tuple(replace(meaning, role=role) for meaning, role in zip(meanings, named, strict=True))
    return tuple(replace(meaning, role=role or meaning.role) for meaning, role in zip(meanings, named, strict=True))


def _role_of(meaning: BandMeaning) -> str:
    return role_of_name(meaning.name) or _role_of_wavelength(meaning.wavelength_nm)


def role_of_name(name: str) -> str:
    """The role that the description of a band says by itself; empty for numbers, designations and anything else."""
    text = name.strip().lower()
    polarisations: set[str] = set(_POLARISATION.findall(text))
    if _BESIDE_RADAR.search(text) or _ANGLE.search(text) or len(polarisations) > 1:
        return NO_BACKSCATTER
    if polarisations:
        return polarisations.pop()
    if text in _LETTERS:
        return _LETTERS[text]
    words = _split_words(text)
    roles = {_WORDS[word] for word in words if word in _WORDS}
    known = all(word in _WORDS or _says_nothing(word) for word in words)
    return roles.pop() if known and len(roles) == 1 else ""


def _split_words(text: str) -> list[str]:
    """The words of a text in small letters, without accents."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return [word for word in re.split(r"[^a-z0-9]+", plain.replace("nearinfrared", "nir")) if word]


def _says_nothing(word: str) -> bool:
    """Whether a word of a description is a number, a designation, or one that any band may have."""
    return word in _FILLERS or re.fullmatch(r"b?\d{1,3}[a-z]?|band\d+|layer|sample|value", word) is not None


def says_something(name: str) -> bool:
    """Whether a description holds more than numbers, designations and words that any band may have."""
    return not all(_says_nothing(word) for word in _split_words(name.strip().lower()))


def _role_of_wavelength(wavelength_nm: float | None) -> str:
    """Red, green or blue where the wavelength is that of the colour bands of usual sensors."""
    if wavelength_nm is None:
        return ""
    ranges = {BLUE: (450, 515), GREEN: (530, 590), RED: (630, 680)}
    return next((role for role, (low, high) in ranges.items() if low <= wavelength_nm <= high), "")


def _add_wavelengths(meanings: Sequence[BandMeaning]) -> list[BandMeaning]:
    """The central wavelengths of the sensor whose band designations the names are, where these leave no doubt."""
    found = [_DESIGNATION.fullmatch(meaning.name.strip()) for meaning in meanings]
    texts = [match[1].upper() if match else "" for match in found]
    table = _sensor_table([text for text in texts if text])
    return [
        meaning
        if meaning.wavelength_nm is not None or text.lstrip("0") not in table
        else replace(meaning, wavelength_nm=float(table[text.lstrip("0")]))
        for meaning, text in zip(meanings, texts, strict=True)
    ]


def _sensor_table(designations: Sequence[str]) -> dict[str, int]:
    """Wavelengths by designation; of designations that several sensors share, those on which they agree."""
    plain = {text.lstrip("0") for text in designations}
    padded = any(text.startswith("0") for text in designations)
    if plain & {"8A", "12"} or (padded and "8" in plain):
        return _MSI
    if padded or ({"2", "3", "4"} <= plain and "1" not in plain):
        return {key: _MSI[key] for key in ("2", "3", "4")}  # Harmonized Landsat Sentinel-2 pads its numbers, too
    if {"1", "2", "3", "4", "5", "7"} == plain:
        return TM
    return OLI if {"1", "2", "3", "4", "5", "6", "7"} <= plain and plain & {"9", "10", "11"} else {}


def find_role(role: str, meanings: Sequence[BandMeaning]) -> list[int]:
    """The positions of the bands of ``role``; of many by wavelength, as in cubes, the one nearest to its usual one."""
    alike = [k for k, meaning in enumerate(meanings) if meaning.role == role]
    if role not in _ROLES_NM or len(alike) == 1:
        return alike
    known = [k for k in alike or range(len(meanings)) if meanings[k].wavelength_nm is not None and meanings[k].good]
    return find_wavelength(_ROLES_NM[role], meanings, known) if known else alike


def find_wavelength(
    wavelength_nm: float, meanings: Sequence[BandMeaning], among: Sequence[int] | None = None
) -> list[int]:
    """The position of the good band nearest to a wavelength, as a list of one; empty where none is within 40 nm."""
    places = range(len(meanings)) if among is None else among
    distances = [
        (abs((meanings[k].wavelength_nm or 0.0) - wavelength_nm), k)
        for k in places
        if meanings[k].wavelength_nm is not None and meanings[k].good
    ]
    return [k for distance, k in sorted(distances)[:1] if distance <= _NEAR_NM]


def name_mode(dtype: str, meanings: Sequence[BandMeaning]) -> str:
    """L or RGB for pictures of 8 bits, whose colours are in this order; else dtype and bands."""
    roles = tuple(meaning.role for meaning in meanings)
    if dtype == "uint8" and (len(roles) == 1 or roles == COLOURS):
        return "L" if len(roles) == 1 else "RGB"
    return f"{dtype} x {len(roles)}"
