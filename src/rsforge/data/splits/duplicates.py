"""Which items hold the same: digests of what their files hold, and the twins among them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np

from rsforge.data.io import hdf5, rasters
from rsforge.data.io.digests import file_digest
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.threads import in_threads
from rsforge.data.splits.items import Item
from rsforge.errors import RsforgeError

Digests = dict[str, tuple[str, ...]]


def digests(items: Iterable[Item], step: Callable[[], None] = lambda: None) -> Digests:
    """By item name, the SHA-256 of the bytes of each of its files, or of the values of its row of an HDF5 file."""
    found: Digests = {}
    for item, digest in _each(items):
        found[item.name] = digest
        step()
    return found


def _each(items: Iterable[Item]) -> Iterator[tuple[Item, tuple[str, ...]]]:
    for by_row, group in groupby(items, key=lambda item: item.row is not None):
        members = list(group)
        if not by_row:
            yield from zip(members, in_threads(lambda m: tuple(map(file_digest, m.paths)), members), strict=True)
        else:
            for path, rows in groupby(members, key=lambda item: item.paths[0]):
                yield from _row_digests(path, list(rows))


def _row_digests(path: Path, items: list[Item]) -> Iterator[tuple[Item, tuple[str, ...]]]:
    try:
        with hdf5.opened(path) as file:
            values = hdf5.Lazy(hdf5.check(hdf5.find(file, "aviris")))
            for item in items:
                row = item.row or 0
                yield item, (hashlib.sha256(values.rows(row, row + 1).tobytes()).hexdigest(),)
    except UnreadableError as reason:
        raise RsforgeError("RSF-D008", f"{path.name} cannot be used: {reason}", where=str(path)) from None


def data_digest(found: Mapping[str, tuple[str, ...]]) -> str:
    """SHA-256 over names and contents, whatever their order: another one when anything was added, lost or changed."""
    rows = "\n".join("\0".join((name, *digest)) for name, digest in sorted(found.items()))
    return hashlib.sha256(rows.encode(errors="surrogateescape")).hexdigest()


def brief(found: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """By name, enough of a digest to tell which item changed."""
    return {name: hashlib.sha256("".join(digest).encode()).hexdigest()[:12] for name, digest in found.items()}


def twins(items: Iterable[Item], found: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """Names of items that have a file in common by content, in sorted groups; images of one value do not count."""
    holders: dict[str, list[tuple[str, Path | None]]] = defaultdict(list)
    for item in items:
        for k, digest in enumerate(found[item.name]):
            holders[digest].append((item.name, None if item.row is not None else item.paths[k]))
    same = [sorted({name for name, _ in held}) for held in holders.values() if len(held) > 1 and not _blank(held[0][1])]
    return sorted(names for names in same if len(names) > 1)


def _blank(path: Path | None) -> bool:
    """Whether an image shows nothing: nodata squares are alike without having anything in common."""
    if path is None:
        return False
    try:
        values = rasters.read(path).values
    except UnreadableError:
        return False
    return bool(values.size and np.all(values == values.flat[0]))
