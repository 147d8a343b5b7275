"""The path that stands for a set of files of one band each.

It is that of its files, with what differs in braces, as shells write it: ``P_{VV,VH}.tif`` stands for P_VV.tif and
P_VH.tif. Where several braces are, the first alternatives of all belong together, then the second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

POLARISATIONS = ("VV", "VH", "HH", "HV")
_POLARISATION = r"(?:[Vv][Vv]|[Vv][Hh]|[Hh][Hh]|[Hh][Vv])"
_NUMBER = r"[Bb](?:0?[1-9]|1[0-2]|8[Aa])"
WORD = re.compile(rf"(?<![A-Za-z0-9])(?P<band>{_POLARISATION}|{_NUMBER})(?:_(?P<metres>\d+)m)?(?![A-Za-z0-9])")
"""The word for a band in a name, with the pixel size that products of Sentinel-2 have behind it."""
COLOURS = ("RED", "GREEN", "BLUE")
SPELLED = re.compile(
    r"(?<![A-Za-z0-9])(?P<band>red|green|blue|nir|band_?\d{1,2}a?)(?:_(?P<metres>\d+)m)?(?![A-Za-z0-9])", re.IGNORECASE
)
"""A word for a band that is spelt out; names may hold one for anything else, beside words of ``WORD``."""
_POLARISED = re.compile(rf"(?<![A-Za-z0-9]){_POLARISATION}(?![A-Za-z0-9])")
SEPARATORS = "_-. "
_BRACES = re.compile(r"\{([^{}/]*)\}")


def find_polarisation(name: str) -> re.Match[str] | None:
    """The word for a polarisation in the name of a folder, as in ``s1_vv``; None where there is none, or several."""
    words = list(_POLARISED.finditer(name))
    return words[0] if len(words) == 1 else None


def is_stack(path: Path | str) -> bool:
    """Whether a path or name stands for a set of files of one band each."""
    return bool(_split_braces(str(path)))


def find_members(path: Path) -> list[Path]:
    """The files of a set in the order of their bands; none for the path of a single file."""
    return [Path(name) for name in _expand(str(path))]


def list_files(path: Path) -> list[Path]:
    """The files of a set, or the one file that ``path`` is."""
    return find_members(path) or [path]


def is_file(path: Path) -> bool:
    """Whether a file, or all files of a set, are there."""
    return all(one.is_file() for one in list_files(path))


def name_bands(path: Path) -> list[str]:
    """The words for the bands of a set in their order, in capital letters: VV, B04; none for a single file."""
    return [_match(word)["band"].upper() for word in _find_bands(_split_braces(str(path)))]


def is_radar(path: Path | str) -> bool:
    """Whether a set holds polarisations."""
    groups = _split_braces(str(path))
    return bool(groups) and _match(_find_bands(groups)[0])["band"].upper() in POLARISATIONS


def strip_bands(name: str) -> str:
    """The name of a folder without the words in braces: ``s1_{vv,vh}`` gives ``s1``, ``{VV,VH}`` nothing."""
    return _BRACES.sub("", name).strip(SEPARATORS)


def name_whole(name: str) -> str:
    """The name or relative path of a set without its bands: ``a/P_{VV,VH}.tif`` gives ``a/P.tif``, others themselves.

    A set that is named by nothing else gets the name of its folder.
    """
    if not is_stack(name):
        return name
    *folders, file = [
        re.sub(rf"[{re.escape(SEPARATORS)}]?{_BRACES.pattern}", "", part) for part in Path(name).parts if part
    ]
    folders = [folder for folder in folders if folder]
    if not file.rpartition(".")[0]:
        file = (folders[-1] if folders else "image") + (file or "")
    return "/".join([*folders, file.lstrip("_- ")])


def _match(word: str) -> re.Match[str]:
    found = _read_word(word)
    assert found is not None  # braces hold nothing else
    return found


def _read_word(word: str) -> re.Match[str] | None:
    return WORD.fullmatch(word) or SPELLED.fullmatch(word)


def _split_braces(text: str) -> list[list[str]]:
    """The alternatives of each pair of braces; none unless some hold words for bands and all are as many."""
    groups = [group.split(",") for group in _BRACES.findall(text)]
    return groups if _find_bands(groups) and len({len(group) for group in groups}) == 1 else []


def _find_bands(groups: Sequence[list[str]]) -> list[str]:
    """The first alternatives that are words for bands: before them may be folders of pixel sizes."""
    return next((group for group in groups if all(_read_word(word) for word in group)), [])


def _expand(text: str) -> list[str]:
    groups = _split_braces(text)
    if not groups:
        return []
    names = []
    for words in zip(*groups, strict=True):
        rest = iter(words)
        names.append(_BRACES.sub(lambda _, rest=rest: next(rest), text))  # type: ignore[misc]
    return names
