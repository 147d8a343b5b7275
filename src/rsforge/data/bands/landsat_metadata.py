"""The metadata files of Landsat products: MTL.txt, MTL.json and MTL.xml hold the same fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

SUFFIXES = (".txt", ".json", ".xml")
_MOST_BYTES = 1 << 20


def find_metadata(folder: Path, product: str) -> Path:
    """The metadata of ``product`` in ``folder``, in the first form that is there; where none is, the place of the text.

    Products are delivered with all forms; one that was thinned out may have kept any.
    """
    places = [folder / f"{product}_MTL{suffix}" for suffix in SUFFIXES]
    return next((place for place in places if place.is_file()), places[0])


def read_fields(path: Path) -> dict[str, str]:
    """The fields of a metadata file by their names, without groups; ``OSError`` or ``ValueError`` for an unusable one.

    It is read again where it changed.
    """
    return _read_fields(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read_fields(path: Path, changed: int) -> dict[str, str]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is larger than metadata are")
    read = {".json": _read_json, ".xml": _read_xml}.get(path.suffix.lower(), _read_text)
    return {name.strip().upper(): value for name, value in read(path.read_bytes())}


def _read_text(data: bytes) -> Iterator[tuple[str, str]]:
    for line in data.decode(errors="replace").splitlines():
        name, sign, value = line.partition("=")
        if sign:
            yield name, value.strip().strip('"')


def _read_json(data: bytes) -> Iterator[tuple[str, str]]:
    groups: list[Any]
    try:
        groups = [json.loads(data)]
    except RecursionError:
        raise ValueError("its groups are nested too deeply") from None
    while groups:
        group = groups.pop()
        for name, value in group.items() if isinstance(group, dict) else ():
            if isinstance(value, dict):
                groups.append(value)
            else:
                yield name, str(value)


def _read_xml(data: bytes) -> Iterator[tuple[str, str]]:
    if b"<!" in data.replace(b"<!--", b""):  # declared entities may grow without end; these files have none
        raise ValueError("it declares entities")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    for element in root.iter():
        if not len(element):
            yield element.tag, (element.text or "").strip()
