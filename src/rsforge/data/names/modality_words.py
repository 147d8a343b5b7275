"""Which words of a name tell SAR from optical images, and what is left of a name without them."""

from __future__ import annotations

import re

from rsforge.data.files.stack_paths import is_radar, is_stack, strip_bands

SAR = 1
OPTICAL = 2

_WORDS = {
    SAR: r"s1|sar|sentinel-?1|s1grd|s1rtc|grd|rtc|radar|sar-?intensity|palsar2?|vv|vh|hh|hv|vvvh",
    OPTICAL: r"s2|op|opt|optical|optic|rgb|eo|sentinel-?2|s2rgb|s2l[12][ac]|tci|ps-?rgb|ps-?ms|ps-?rgbnir|rgbnir|msi",
}
"""Words for each modality, as data sets write them between separators."""
_SEPARATORS = r"[_\-. ]"
_BETWEEN = {m: re.compile(rf"(^|{_SEPARATORS})({words})(?={_SEPARATORS}|$)", re.I) for m, words in _WORDS.items()}
_BEFORE_NUMBER = {
    m: re.compile(rf"(^|{_SEPARATORS})({words})(?=\d+(?:{_SEPARATORS}|$))", re.I) for m, words in _WORDS.items()
}
_NUMBERED = {SAR: re.compile(r"s1(?:[_-]?(\d+))?", re.I), OPTICAL: re.compile(r"s2(?:[_-]?(\d+))?", re.I)}
_LETTERED = re.compile(r"(train|test|val|valid|validation|)[_-]?([AB])")


def modality_of_folder(name: str) -> int | None:
    """1 for a folder of SAR images by its name, 2 for one of optical images, None for another or both."""
    if is_stack(name):
        return SAR if is_radar(name) else OPTICAL
    found = [m for m in (SAR, OPTICAL) if _NUMBERED[m].fullmatch(name) or strip_word(name, m) is not None]
    return found[0] if len(found) == 1 else None


def key_of_folder(name: str) -> str:
    """What is left of a folder's name without its modality: ``s1_30`` and ``s2_30`` give ``30``, ``sar`` nothing."""
    modality = modality_of_folder(name)
    if modality is None:
        return name
    if is_stack(name):
        return key_of_folder(strip_bands(name)) if is_radar(name) else ""
    numbered = _NUMBERED[modality].fullmatch(name)
    if numbered:
        return numbered[1] or ""
    return strip_word(name, modality) or ""


def letter_of_folder(name: str) -> tuple[str, str] | None:
    """(rest, A or B) of folders such as ``trainA`` and ``B``, which name their sides by letters; None for others."""
    found = _LETTERED.fullmatch(name)
    return (found[1], found[2]) if found else None


def strip_word(stem: str, modality: int) -> str | None:
    """``stem`` without its first word for ``modality``: ``sar12`` gives ``12``; None where it has no such word."""
    for pattern in (_BETWEEN[modality], _BEFORE_NUMBER[modality]):
        found = pattern.search(stem)
        if found:
            return (stem[: found.start()] + stem[found.end() :]).strip("_-. ")
    return None


def strip_folder(stem: str, folder: str) -> str | None:
    """``stem`` without the name of its folder, where that stands in it as a word; None where it does not."""
    pattern = rf"(^|{_SEPARATORS}){re.escape(folder)}(?={_SEPARATORS}|\d|$)"
    found = re.search(pattern, stem, re.I) if folder else None
    return (stem[: found.start()] + stem[found.end() :]).strip("_-. ") if found else None
