"""Captioned images as a shard of WebDataset: ``a.jpg`` beside ``a.txt``, or ``a.json`` for several captions."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from rsforge.data.captions.tables import SIDE
from rsforge.data.io.image_reader import UnreadableError, read_bytes, unreadable_error


class CaptionedFile(NamedTuple):
    """An image with its name in the table of captions, and the side that its source states."""

    name: str
    path: Path
    captions: list[str]
    side: str = ""


def write_shard(file: IO[bytes], images: Iterable[CaptionedFile]) -> None:
    """Write an uncompressed tar of the images in their order, one in memory at a time.

    Its bytes depend on names, images and captions alone: members have no time, owner or rights of their own. RSF-D002
    for an image that cannot be read.
    """
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        keys: set[str] = set()
        for image in images:
            for name, data in _list_members(image, _make_key(image.name, keys)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def holds_shard(path: Path, images: Iterable[CaptionedFile]) -> bool:
    """Whether a file has the bytes that ``write_shard`` would write."""
    with path.open("rb") as file:
        comparison = _Comparison(file)
        with suppress(_DifferenceError):
            write_shard(cast("IO[bytes]", comparison), images)
            return not file.read(1)
    return False


class _DifferenceError(Exception):
    """The bytes of a file are others than those that would be written."""


class _Comparison:
    """A file to write to that compares what is written with another file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, data: bytes) -> int:
        if self.file.read(len(data)) != data:
            raise _DifferenceError
        return len(data)


def _make_key(name: str, keys: set[str]) -> str:
    """The name of a sample, which ends at its first dot; of equal ones the later have numbers."""
    path = PurePosixPath(name.replace("\\", "/"))
    key = bare = path.with_name(path.stem.replace(".", "_")).as_posix()
    number = 1
    while key in keys:
        number += 1
        key = f"{bare}_{number}"
    keys.add(key)
    return key


def _list_members(image: CaptionedFile, key: str) -> Iterator[tuple[str, bytes]]:
    try:
        yield f"{key}{image.path.suffix.lower()}", read_bytes(image.path)
    except UnreadableError as reason:
        raise unreadable_error(image.path, str(reason)) from None
    if len(image.captions) == 1 and not image.side:
        yield f"{key}.txt", image.captions[0].encode()
        return
    record = {"captions": image.captions, **({SIDE: image.side} if image.side else {})}
    yield f"{key}.json", json.dumps(record, ensure_ascii=False).encode()
