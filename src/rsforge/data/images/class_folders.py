"""Images named CLASS_NUMBER, and the names and captions of their classes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from rsforge.data.files.walk import SUFFIXES, find_images, is_left_behind
from rsforge.data.io.image_reader import UnreadableError, decode_rgb, read_bytes
from rsforge.data.io.threads import map_in_threads
from rsforge.data.tables.characters import CONVERT, CharacterError, decode_text
from rsforge.errors import RsforgeError

# Names for classes without one, by number, repeated after eight: the subjects of the Corel set of the course.
GENERIC = ("royalguard", "beach", "mountain", "flower", "building", "animal", "vehicle", "person")

_NAME = re.compile(r"(\d+)_(\d+)")
_NEXT = re.compile(r"(?<=\s)(\d+)[\s,;:=]+(?=[^\W\d])")
_ENTRY = re.compile(r"(\d+)[\s,;:=]+(\S.*)")
_HEADING = re.compile(
    r"\W*(number|no|nr|id|index|class|label|code)[^\d]*[\s,;:]+[^\d]*(name|class|label|title)\W*", re.IGNORECASE
)
_HAS_ARTICLE = re.compile(r"(an?|the|some|one)\s", re.IGNORECASE)
_VOWEL = re.compile(r"[aeiou8]|hon(or|our|est)|hour|heir|1[18]\b")
# Spelt with a vowel and spoken with a consonant: European, ewe, one-way, unit, usual, utility, uranium.
_CONSONANT = re.compile(r"eu|ewe|onc?e\b|u(ni(?![mnd])|s[aeu]|t[eio]|r[aei]|biq|k[ru]|[iy]gh)")
# Said letter by letter: X-ray, MRI, SUV, NDVI; SAR is a word.
_SPELLED = re.compile(r"[A-Za-z]-|(?!SAR\b)[A-Z]{1,3}\b|[HLMNX][B-DF-HJ-NP-TV-Z][A-Z]*\b")
_SOUNDS_VOWEL = "aefhilmnorsx"


@dataclass(frozen=True)
class ClassImage:
    """An image of class ``number``; ``digest`` is the SHA-256 of its bytes."""

    path: Path
    number: int
    digest: str


@dataclass(frozen=True)
class ClassIndex:
    """The images of a folder by class, sorted by name; ``bad`` are (name, reason)."""

    images: list[ClassImage]
    bad: list[tuple[str, str]] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        return sorted({image.number for image in self.images})


def scan_classes(root: Path, exclude: Path | None = None) -> ClassIndex:
    """Read and decode every image below ``root``; files that are damaged, or of odd or equal names, go to ``bad``."""
    paths = find_images(root, exclude=exclude)
    names: dict[str, Path] = {}
    index = ClassIndex([], [(name, "images of this kind are not read") for name in _find_unread(root, paths)])
    for path, judged in zip(paths, map_in_threads(_judge_image, paths), strict=True):
        first = names.setdefault(path.name.lower(), path)
        name = path.relative_to(root).as_posix()
        if first != path:
            index.bad.append((name, f"{first.relative_to(root)} has the same name"))
        elif isinstance(judged, str):
            index.bad.append((name, judged))
        else:
            index.images.append(judged)
    return index


def _find_unread(root: Path, images: list[Path]) -> list[str]:
    """Files named CLASS_NUMBER whose format is not read."""
    candidates = set(root.rglob("*"))
    for folder in {image.parent for image in images}:  # linked folders are not among the first
        candidates.update(folder.iterdir())
    odd = (
        p
        for p in candidates
        if p.suffix.lower() not in SUFFIXES and _NAME.fullmatch(p.stem) and not is_left_behind(p.name) and p.is_file()
    )
    return sorted(p.relative_to(root).as_posix() for p in odd)


def _judge_image(path: Path) -> ClassImage | str:
    """The image, or the reason why it cannot be used."""
    found = _NAME.fullmatch(path.stem)
    if not found:
        return "its name is not CLASS_NUMBER, as in 0001_0042.png"
    try:
        data = read_bytes(path)
        decode_rgb(data)
    except UnreadableError as error:
        return str(error)
    return ClassImage(path, int(found[1]), hashlib.sha256(data).hexdigest())


def read_class_names(path: Path) -> dict[int, str]:
    """``{1: "royalguard", ...}`` from pairs of number and name, one or several a line, in any usual encoding.

    A heading is skipped. RSF-D006 names a bad line.
    """
    names: dict[int, str] = {}
    if not path.is_file():  # opening a pipe would block for ever
        raise _list_error(path, "it is not a regular file")
    try:
        text, _ = decode_text(path.read_bytes())
    except CharacterError as error:
        raise _list_error(path, f"{error} (byte {error.start + 1})", CONVERT) from None
    for number, line in enumerate(text.splitlines(), 1):
        is_heading = number == 1 and _HEADING.fullmatch(line.strip())
        if not line.strip() or line.lstrip().startswith("#") or is_heading:
            continue
        for part in _split_entries(line):
            entry = _ENTRY.fullmatch(part)
            if not entry:
                raise _list_error(path, f"line {number} is no number and name: {part[:80]!r}")
            name = entry[2].strip().strip('"')
            if names.setdefault(int(entry[1]), name) != name:
                raise _list_error(path, f"line {number} names class {int(entry[1])} a second time")
    return names


def _split_entries(line: str) -> Iterator[str]:
    """The entries of a line such as ``1 beach 2 route 66 south``.

    A number begins an entry only if it is the successor of the last one: names may contain other numbers.
    """
    cuts = [0]
    first = _ENTRY.match(line.strip())
    if first:
        last = int(first[1])
        for found in _NEXT.finditer(line):
            if int(found[1]) == last + 1:
                last += 1
                cuts.append(found.start())
    return (line[start:end].strip(" \t,;") for start, end in pairwise([*cuts, len(line)]))


def name_classes(numbers: list[int], names: Mapping[int, str]) -> tuple[dict[int, str], list[int]]:
    """A name for every class, and the classes that had none.

    Where no class has a name they get those of ``GENERIC``; a class missing from a list is named by its number, so that
    it cannot get the name of another.
    """
    missing = [number for number in numbers if number not in names]
    complete = dict(names)
    for number in missing:
        complete[number] = f"thing of class {number}" if names else GENERIC[(number - 1) % len(GENERIC)]
    return {number: complete[number] for number in numbers}, missing


def make_caption(name: str) -> str:
    """``a photo of an animal``, with the article that fits the pronunciation."""
    if _HAS_ARTICLE.match(name):
        return f"a photo of {name}"
    return f"a photo of {article(name)} {name}"


def article(noun: str) -> str:
    """``a`` or ``an``, by the first sound of common English words and of initialisms."""
    if _SPELLED.match(noun):
        return "an" if noun[0].lower() in _SOUNDS_VOWEL else "a"
    word = noun.lower()
    return "an" if _VOWEL.match(word) and not _CONSONANT.match(word) else "a"


def _list_error(path: Path, found: str, fix: str = "write a number and a name a line: 1 royalguard") -> RsforgeError:
    return RsforgeError("RSF-D006", f"{path.name} cannot be used", where=str(path), found=found, fix=fix)
