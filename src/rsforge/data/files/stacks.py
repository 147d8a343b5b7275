"""Images of one file a band: which files belong together by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.files.stack_paths import COLOURS, POLARISATIONS, SEPARATORS, SPELLED, WORD
from rsforge.errors import RsforgeError

_SAFE = re.compile(r"(s1[a-d]-.*-)(\d{3})(-cog)?")
_PRODUCT = re.compile(r"l[cetom]0\d_l\d|s2[a-d]_|t\d{2}[a-z]{3}_\d{8}t|hls\.", re.IGNORECASE)
"""How the names of products of Landsat and Sentinel-2 begin: in others b1 and b2 are blocks or anything."""
_COLOURS = (*COLOURS, "NIR")
_NO_PICTURES = (".tif", ".tiff", ".jp2")
"""Suffixes of files of numbered bands: others with such words are pictures, as of blocks."""
_OTHER_SIDE = re.compile(r"(s[12]|sar|op|opt|optical|eo|sentinel-?[12])(?![a-z])", re.IGNORECASE)
_RESOLUTION = re.compile(r"R\d+m")  # folders of products of Sentinel-2
_LEVEL = re.compile(r"[_\-. ](SR|ST|TOA|RT)$", re.IGNORECASE)


@dataclass
class Stacked:
    """Images, of which some are sets of files, and the files ``beside`` that belong to sets and are no bands."""

    images: list[Path] = field(default_factory=list)
    beside: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class _BandFile:
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


def stack_files(paths: Iterable[Path]) -> Stacked:
    """The images of ``paths``: files that differ in a word for a band alone become the path of their set.

    That is done in folders most of whose images are such files. There a single one is a set, too, so that it is missed
    which band is not there. RSF-D008 where bands of one image have suffixes that differ.
    """
    paths = list(paths)
    read = {path: found for path in paths if (found := _read_name(path))}
    sets: dict[tuple[str, bool], list[_BandFile]] = defaultdict(list)
    for one in read.values():
        sets[one.key].append(one)
    _refuse_mixed_suffixes(sets.values())
    several = {key: own for key, own in sets.items() if _are_bands(own)}
    if not several:
        return Stacked(paths)
    beside = _find_beside(paths, read, several)
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
    own = _read_name(path)
    if own is None or not path.parent.is_dir():
        return None
    alike = [one for one in map(_read_name, path.parent.iterdir()) if one and one.key == own.key]
    return _write_braces(_choose_finest(alike)) if _are_bands(alike) else None


def _are_bands(own: Sequence[_BandFile]) -> bool:
    """Whether files are the bands of one image: several, and of colours all three, which may be those of anything."""
    bands = {one.band for one in own}
    return len(bands) > 1 and (bands.isdisjoint(_COLOURS) or bands.issuperset(COLOURS))


def _read_name(path: Path) -> _BandFile | None:
    """What the name of a file of one band says, or that of its folder for polarisations; None for any other file."""
    folder = path.parent.name.upper()
    pattern = WORD if WORD.search(path.stem) or folder in POLARISATIONS else SPELLED
    words = list(pattern.finditer(path.stem))
    bands = {word["band"].upper() for word in words}
    if not bands and folder in POLARISATIONS:
        bands = {folder}
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
    return _BandFile(path, band, metres, tuple(taken), str(parent / (stem + path.suffix)), place)


def _read_folder(folder: Path, band: str, pattern: re.Pattern[str]) -> tuple[Path, Path, list[str]]:
    """Where the files of all bands lie, the folder of one with marks, and the words that stood in their place.

    Folders may be named by the band (``VV``, ``train_red``) or by the size of pixels (``R10m``).
    """
    if folder.name.upper() == band or (band not in POLARISATIONS and _RESOLUTION.fullmatch(folder.name)):
        return folder.parent, folder.parent / "\0", [folder.name]
    words = list(pattern.finditer(folder.name)) if pattern is SPELLED else []
    if {word["band"].upper() for word in words} != {band}:
        return folder, folder, []
    return folder.parent, folder.parent / pattern.sub("\0", folder.name), [word[0] for word in words]


def _refuse_mixed_suffixes(sets: Iterable[Sequence[_BandFile]]) -> None:
    """RSF-D008 where bands of one image end in .tif and .tiff, or in capital letters: they would be several images."""
    seen: dict[tuple[str, str, bool], _BandFile] = {}
    for own in sets:
        one = own[0]
        suffix = one.path.suffix
        kind = suffix.lower().replace("tiff", "tif").replace("jpeg", "jpg")
        other = seen.setdefault((one.template.removesuffix(suffix), kind, one.key[1]), one)
        if other.path.suffix != suffix and other.band not in {each.band for each in own}:
            what = f"{other.path.name} and {one.path.name} are bands of one image, and their suffixes differ"
            fix = f"rename them to end alike: {one.path.with_suffix(other.path.suffix).name}"
            raise RsforgeError("RSF-D008", what, where=str(one.place), fix=fix)


def _may_be_numbered(path: Path, word: str) -> bool:
    """Whether the word in the name of a file may be for a numbered band, in small letters of products alone."""
    known = word.startswith("B") or any((SPELLED.fullmatch(word), _PRODUCT.match(path.stem)))
    return known and path.suffix.lower() in _NO_PICTURES


def _find_beside(
    paths: Sequence[Path], read: dict[Path, _BandFile], several: dict[tuple[str, bool], list[_BandFile]]
) -> dict[Path, Path]:
    """Files that are named as a set is and hold none of its bands (angles, masks, true colours), with its folder."""
    prefixes: dict[Path, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    places = {}
    rasters = set()
    for one in (one for own in several.values() for one in own):
        folder = one.path.parent
        if folder.name.upper() not in POLARISATIONS:
            stem = Path(one.template).stem
            prefix = _LEVEL.sub("", stem.split("\0")[0].rstrip(SEPARATORS))
            if prefix or stem == "\0":  # where names begin with bands, others need not belong to sets
                prefixes[folder][prefix].add(one.band)
                places[folder] = one.place
                if one.path.suffix.lower() in _NO_PICTURES:
                    rasters.add((folder, prefix))
    beside = {}
    for path in paths:
        found = read.get(path)
        if path.parent not in prefixes or (found and found.key in several):
            continue
        beginnings = _list_beginnings(path.stem)
        if path.suffix.lower() not in _NO_PICTURES and (path.parent, path.stem) in rasters:
            beginnings.add(path.stem)  # a preview, named as the product
        for prefix in beginnings & prefixes[path.parent].keys():
            own_side = not _OTHER_SIDE.match(path.stem[len(prefix) :].lstrip(SEPARATORS))
            if own_side and not (found and found.band in prefixes[path.parent][prefix]):
                beside[path] = places[path.parent]
    return beside


def _list_beginnings(stem: str) -> set[str]:
    """What stands before each separator of a name, and nothing."""
    return {stem[:k].rstrip(SEPARATORS) for k, sign in enumerate(stem) if sign in SEPARATORS} | {""}


def _choose_folders(
    paths: Sequence[Path],
    read: dict[Path, _BandFile],
    several: dict[tuple[str, bool], list[_BandFile]],
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


def _choose_finest(own: Sequence[_BandFile]) -> list[_BandFile]:
    """One file a band, of several the one of the smallest pixels, in the order of the bands."""
    finest: dict[str, _BandFile] = {}
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


def _write_braces(chosen: Sequence[_BandFile]) -> Path:
    """The path of a set: where the templates have marks, the words of the files in their order."""
    first, *pieces = chosen[0].template.split("\0")
    columns = zip(*(one.words for one in chosen), strict=True)
    written = (_write_alternatives(words) + piece for words, piece in zip(columns, pieces, strict=True))
    return Path(first + "".join(written))


def _write_alternatives(words: Sequence[str]) -> str:
    """Words in braces, but the one folder in which all bands lie."""
    together = len(set(words)) == 1 and _RESOLUTION.fullmatch(words[0])
    return words[0] if together else "{" + ",".join(words) + "}"
