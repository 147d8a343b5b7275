"""What the name of a file of one band says: its band, and the name that the files of all bands share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rsforge.data.files.stack_paths import POLARISATIONS, SPELLED, WORD, find_polarisation

_SAFE = re.compile(r"(s1[a-d]-.*-)(\d{3})(-cog)?")
_PRODUCT = re.compile(r"l[cetom]0\d_l\d|s2[a-d]_|t\d{2}[a-z]{3}_\d{8}t|hls\.", re.IGNORECASE)
"""How the names of products of Landsat and Sentinel-2 begin: in others b1 and b2 are blocks or anything."""
RASTERS = (".tif", ".tiff", ".jp2")
"""Suffixes of files of numbered bands: others with such words are pictures, as of blocks."""
RESOLUTION = re.compile(r"R\d+m")
"""Folders of products of Sentinel-2."""


@dataclass(frozen=True)
class BandFile:
    """A file of one band: what is left of its path, with marks where ``words`` stood, and where it lies."""

    path: Path
    band: str
    metres: int
    words: tuple[str, ...]
    template: str
    place: Path

    @property
    def key(self) -> tuple[str, bool]:
        return self.template, self.band in POLARISATIONS


def read_band_name(path: Path) -> BandFile | None:
    """What the name of a file of one band says, or that of its folder for polarisations; None for any other file."""
    folder = find_polarisation(path.parent.name)
    pattern = WORD if WORD.search(path.stem) or folder else SPELLED
    words = list(pattern.finditer(path.stem))
    bands = {word["band"].upper() for word in words}
    if not bands and folder:
        bands = {folder[0].upper()}
    if len(bands) != 1:
        return None  # a file of several polarisations has words for all
    band = bands.pop()
    if band not in POLARISATIONS and not _may_be_numbered(path, words[0]["band"]):
        return None
    stem = pattern.sub("\0", path.stem)
    if safe := _SAFE.fullmatch(stem):
        stem = f"{safe[1]}\0{safe[3] or ''}"
    place, parent, before = _read_folder(path.parent, band, pattern)
    metres = next((int(word["metres"]) for word in words if word["metres"]), 0)
    taken = [*before, *(word[0] for word in words), *([safe[2]] if safe else [])]
    return BandFile(path, band, metres, tuple(taken), str(parent / (stem + path.suffix)), place)


def _read_folder(folder: Path, band: str, pattern: re.Pattern[str]) -> tuple[Path, Path, list[str]]:
    """Where the files of all bands lie, the folder of one with marks, and the words that stood in their place.

    Folders may be named by the band (``VV``, ``s1_vv``, ``train_red``) or by the size of pixels (``R10m``).
    """
    word = find_polarisation(folder.name)
    if word and word[0].upper() == band:
        marked = f"{folder.name[: word.start()]}\0{folder.name[word.end() :]}"
        return folder.parent, folder.parent / marked, [word[0]]
    if folder.name.upper() == band or (band not in POLARISATIONS and RESOLUTION.fullmatch(folder.name)):
        return folder.parent, folder.parent / "\0", [folder.name]
    words = list(pattern.finditer(folder.name)) if pattern is SPELLED else []
    if {word["band"].upper() for word in words} != {band}:
        return folder, folder, []
    return folder.parent, folder.parent / pattern.sub("\0", folder.name), [word[0] for word in words]


def _may_be_numbered(path: Path, word: str) -> bool:
    """Whether the word in the name of a file may be for a numbered band, in small letters of products alone."""
    known = word.startswith("B") or any((SPELLED.fullmatch(word), _PRODUCT.match(path.stem)))
    return known and path.suffix.lower() in RASTERS
