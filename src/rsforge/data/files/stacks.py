"""Images of one file a band: which files belong together by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.files.band_names import RESOLUTION, BandFile, read_band_name
from rsforge.data.files.beside_bands import find_beside
from rsforge.data.files.stack_paths import COLOURS, POLARISATIONS
from rsforge.errors import RsforgeError

_COLOURS = (*COLOURS, "NIR")


@dataclass
class Stacked:
    """Images, of which some are sets of files, and the files ``beside`` that belong to sets and are no bands."""

    images: list[Path] = field(default_factory=list)
    beside: list[Path] = field(default_factory=list)


def stack_files(paths: Iterable[Path]) -> Stacked:
    """The images of ``paths``: files that differ in a word for a band alone become the path of their set.

    That is done in folders most of whose images are such files. There a single one is a set, too, so that it is missed
    which band is not there. RSF-D008 where bands of one image have suffixes that differ.
    """
    paths = list(paths)
    read = {path: found for path in paths if (found := read_band_name(path))}
    sets: dict[tuple[str, bool], list[BandFile]] = defaultdict(list)
    for one in read.values():
        sets[one.key].append(one)
    _refuse_mixed_suffixes(sets.values())
    several = {key: own for key, own in sets.items() if _are_bands(own)}
    if not several:
        return Stacked(paths)
    beside = find_beside(paths, read, several)
    folders = _choose_folders(paths, read, several, beside)
    result = Stacked()
    for path in paths:
        found = read.get(path)
        if path in beside and beside[path] in folders:
            result.beside.append(path)
        elif found is None or found.place not in folders:
            result.images.append(path)
        elif found == (own := sets[found.key])[0]:
            chosen = _choose_finest(own)
            result.images.append(_write_braces(chosen))
            result.beside += [one.path for one in own if one not in chosen]
    return result


def find_set(path: Path) -> Path | None:
    """The set that a file belongs to with others of its folder; None for a file by itself."""
    own = read_band_name(path)
    if own is None or not path.parent.is_dir():
        return None
    alike = [one for one in map(read_band_name, path.parent.iterdir()) if one and one.key == own.key]
    return _write_braces(_choose_finest(alike)) if _are_bands(alike) else None


def _are_bands(own: Sequence[BandFile]) -> bool:
    """Whether files are the bands of one image: several, and of colours all three, which may be those of anything."""
    bands = {one.band for one in own}
    return len(bands) > 1 and (bands.isdisjoint(_COLOURS) or bands.issuperset(COLOURS))


def _refuse_mixed_suffixes(sets: Iterable[Sequence[BandFile]]) -> None:
    """RSF-D008 where bands of one image end in .tif and .tiff, or in capital letters: they would be several images."""
    seen: dict[tuple[str, str, bool], BandFile] = {}
    for own in sets:
        one = own[0]
        suffix = one.path.suffix
        kind = suffix.lower().replace("tiff", "tif").replace("jpeg", "jpg")
        other = seen.setdefault((one.template.removesuffix(suffix), kind, one.key[1]), one)
        if other.path.suffix != suffix and other.band not in {each.band for each in own}:
            what = f"{other.path.name} and {one.path.name} are bands of one image, and their suffixes differ"
            fix = f"rename them to end alike: {one.path.with_suffix(other.path.suffix).name}"
            raise RsforgeError("RSF-D008", what, where=str(one.place), fix=fix)


def _choose_folders(
    paths: Sequence[Path],
    read: dict[Path, BandFile],
    several: dict[tuple[str, bool], list[BandFile]],
    beside: dict[Path, Path],
) -> set[Path]:
    """The folders most of whose images are bands of sets or lie beside them."""
    total: dict[Path, int] = defaultdict(int)
    known: dict[Path, int] = defaultdict(int)
    for path in paths:
        found = read.get(path)
        place = beside.get(path) or (found.place if found else path.parent)
        total[place] += 1
        known[place] += path in beside or (found is not None and found.key in several)
    return {place for place in total if 2 * known[place] > total[place]}


def _choose_finest(own: Sequence[BandFile]) -> list[BandFile]:
    """One file a band, of several the one of the smallest pixels, in the order of the bands."""
    finest: dict[str, BandFile] = {}
    for one in own:
        if one.band not in finest or one.metres < finest[one.band].metres:
            finest[one.band] = one
    return sorted(finest.values(), key=lambda one: _order(one.band))


def _order(band: str) -> tuple[int, int, str]:
    if band in POLARISATIONS:
        return 0, POLARISATIONS.index(band), ""
    if band in _COLOURS:
        return 2, _COLOURS.index(band), ""
    digits = re.sub(r"\D", "", band)
    return 1, int(digits), "A" if band.endswith("A") else ""


def _write_braces(chosen: Sequence[BandFile]) -> Path:
    """The path of a set: where the templates have marks, the words of the files in their order."""
    first, *pieces = chosen[0].template.split("\0")
    columns = zip(*(one.words for one in chosen), strict=True)
    written = (_write_alternatives(words) + piece for words, piece in zip(columns, pieces, strict=True))
    return Path(first + "".join(written))


def _write_alternatives(words: Sequence[str]) -> str:
    """Words in braces, but the one folder in which all bands lie."""
    together = len(set(words)) == 1 and RESOLUTION.fullmatch(words[0])
    return words[0] if together else "{" + ",".join(words) + "}"
