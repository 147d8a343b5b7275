"""Tars of WebDataset: members of one name are one sample, ``000.jpg`` beside ``000.txt`` or ``000.json``."""

from __future__ import annotations

import hashlib
import json
import shlex
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from rsforge.data.captions.tables import SIDE, collect_texts, expand_lists
from rsforge.data.io.image_reader import MAX_BYTES, SUFFIXES
from rsforge.data.names.sides import side_of_word
from rsforge.data.tables.characters import CharacterError, decode_text
from rsforge.errors import RsforgeError

_IMAGES = {suffix.removeprefix(".") for suffix in SUFFIXES} | {"webp", "img"}
_TEXTS = ("txt", "text", "caption", "captions")
_MOST_TEXT = 1 << 24
EXTRACT = "extract it: `rsforge data parquet-to-jsonl --parquet-path {path} --output-dir OUT`, and use OUT/rsicd_images"


@dataclass
class TarSample:
    """A sample: its ``key``, image and captions; ``reason`` says why it cannot be used, and is else empty."""

    key: str
    image: bytes = b""
    captions: list[str] = field(default_factory=list)
    side: str = ""
    reason: str = ""


def is_tar(path: Path) -> bool:
    """Whether ``path`` is called a tar."""
    return path.suffix.lower() == ".tar"


def find_packed(place: Path) -> list[Path]:
    """The compressed tars that a path or the entries of a folder are by their names, sorted."""
    entries = sorted(place.iterdir()) if place.is_dir() else [place]
    return [path for path in entries if path.name.lower().endswith((".tar.gz", ".tgz")) and path.is_file()]


def unpack_first(packed: list[Path]) -> str:
    """How to make tars of compressed ones, which could expand without end and are not read."""
    names = " ".join(shlex.quote(str(path)) for path in packed[:4])
    rest = " and so on" if len(packed) > 4 else ""
    return f"unpack first: `gunzip -k {names}`{rest} leaves tars, which are read"


def refuse_tars(folder: Path) -> None:
    """RSF-D001 for a tar, or a folder of tars, where a folder of images is expected: it says how to extract them."""
    tars = [folder] if is_tar(folder) and folder.is_file() else []
    with suppress(OSError):  # reported by whoever enters the folder
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        if not any(path.is_dir() or path.suffix.lower() in SUFFIXES for path in entries):
            tars += [path for path in entries if is_tar(path)]
            packed = find_packed(folder)
            if packed and not tars:
                what = f"No images found in {folder}: {packed[0].name} is a compressed tar"
                raise RsforgeError("RSF-D001", what, where=str(folder), fix=unpack_first(packed))
    if tars:
        what = f"No images found in {folder}: {tars[0].name} is a tar, whose images are not read in place"
        raise RsforgeError("RSF-D001", what, where=str(folder), fix=EXTRACT.format(path=shlex.quote(str(folder))))


def measure_tar(path: Path) -> tuple[int, str]:
    """The number of samples, and a digest of names, sizes and times of all members; RSF-D006 for a damaged tar."""
    digest = hashlib.sha256(f"{path.stat().st_size} ".encode())
    count = 0
    with _open_tar(path) as tar:
        for _, members in _group_members(tar):
            count += 1
            for member in members:
                digest.update(f"{member.name}\0{member.size}\0{member.mtime}\n".encode(errors="surrogateescape"))
    if not count:
        raise _tar_error(path, "it holds no samples")
    return count, digest.hexdigest()


def read_samples(path: Path) -> Iterator[TarSample]:
    """The samples of a tar in its order, one in memory at a time; no member is written to disk."""
    with _open_tar(path) as tar:
        for key, members in _group_members(tar):
            yield _read_sample(tar, key, members)


def _list_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Regular members with a suffix; hidden ones are what other systems leave behind."""
    for member in tar:
        name = PurePosixPath(member.name).name
        if member.isreg() and not name.startswith(".") and "." in name:
            yield member


def _group_members(tar: tarfile.TarFile) -> Iterator[tuple[str, list[tarfile.TarInfo]]]:
    """The members of each sample by its key: the name to its first dot, as WebDataset has it.

    Names that hold more dots (``scene_1.5.jpg``) end at their last where each image then has a text of its own.
    """
    for key, members in groupby(_list_members(tar), key=_key_of):
        together = list(members)
        apart: dict[str, list[tarfile.TarInfo]] = defaultdict(list)
        for member in together:
            apart[member.name.rpartition(".")[0]].append(member)
        whole = len(_find_images(together)) > 1 and all(_is_whole(own) for own in apart.values())
        yield from apart.items() if whole else [(key, together)]


def _is_whole(members: list[tarfile.TarInfo]) -> bool:
    kinds = {_last_suffix(member) for member in members}
    return bool(kinds & _IMAGES) and bool(kinds & {*_TEXTS, "json"})


def _key_of(member: tarfile.TarInfo) -> str:
    folder, _, name = member.name.rpartition("/")
    stem = name.split(".")[0]
    return f"{folder}/{stem}" if folder else stem


def _find_images(members: list[tarfile.TarInfo]) -> list[tarfile.TarInfo]:
    """``KEY.jpg``, or where no member is called so ``KEY.input.jpg``."""
    plain = [member for member in members if _suffix_of(member) in _IMAGES]
    return plain or [member for member in members if _last_suffix(member) in _IMAGES]


def _find_texts(members: list[tarfile.TarInfo]) -> list[tarfile.TarInfo]:
    """``KEY.txt`` and ``KEY.json``, or where no member is called so ``KEY.caption.txt``."""
    kinds = {*_TEXTS, "json"}
    plain = [member for member in members if _suffix_of(member) in kinds]
    return plain or [member for member in members if _last_suffix(member) in kinds]


def _read_sample(tar: tarfile.TarFile, key: str, members: list[tarfile.TarInfo]) -> TarSample:
    sample = TarSample(key)
    images = _find_images(members)
    if len(images) != 1:
        sample.reason = f"it has {len(images)} images where one is expected" if images else "it has no image"
    elif images[0].size > MAX_BYTES:
        sample.reason = f"its image has {images[0].size} bytes, more than {MAX_BYTES}"
    else:
        sample.image = _read_member(tar, images[0])
    try:
        for member in _find_texts(members):
            _add_texts(tar, member, sample)
    except (CharacterError, ValueError, RecursionError):
        sample.reason = sample.reason or "its text cannot be read"
    return sample


def _add_texts(tar: tarfile.TarFile, member: tarfile.TarInfo, sample: TarSample) -> None:
    if member.size > _MOST_TEXT:
        return
    text = decode_text(_read_member(tar, member)).text
    if _last_suffix(member) != "json":
        sample.captions += expand_lists([text.strip()])
        return
    record: Any = json.loads(text)
    sample.captions = sample.captions or expand_lists(collect_texts(record))
    if isinstance(record, dict):
        sample.side = side_of_word(record.get(SIDE))


def _suffix_of(member: tarfile.TarInfo) -> str:
    return PurePosixPath(member.name).name.split(".", 1)[1].lower()


def _last_suffix(member: tarfile.TarInfo) -> str:
    return member.name.rpartition(".")[2].lower()


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) < member.size:
        raise tarfile.ReadError(f"{member.name} ends early")
    return data


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    if not path.is_file():  # opening a pipe would block for ever
        raise _tar_error(path, "it is not a regular file")
    try:
        with tarfile.open(path, "r:") as tar:  # compressed ones could expand without end
            yield tar
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _tar_error(path, "it is damaged or compressed", str(error)[:200]) from None


def _tar_error(path: Path, reason: str, found: str = "") -> RsforgeError:
    fix = "give an uncompressed tar whose members are 000.jpg with 000.txt"
    return RsforgeError("RSF-D006", f"cannot use {path.name}: {reason}", where=str(path), found=found, fix=fix)
