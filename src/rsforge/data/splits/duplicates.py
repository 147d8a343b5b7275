"""Digests of the contents of items, and groups of items with equal contents."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np

from rsforge.data.cubes import hdf5_file
from rsforge.data.files.digests import file_digest
from rsforge.data.io import rasters
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.threads import map_in_threads
from rsforge.data.splits.items import Item

Digests = dict[str, tuple[str, ...]]


def digest_items(items: Iterable[Item], step: Callable[[], None] = lambda: None) -> Digests:
    """By item, the SHA-256 of each of its files, or of the values of its row of an HDF5 file.

    ``step`` is called after each item. RSF-D008 for an HDF5 file that cannot be read.
    """
    digests: Digests = {}
    for item, digest in _digest_each(items):
        digests[item.name] = digest
        step()
    return digests


def _digest_each(items: Iterable[Item]) -> Iterator[tuple[Item, tuple[str, ...]]]:
    """Files are read in threads; rows of one HDF5 file in order, so that it is opened once."""
    for by_row, group in groupby(items, key=lambda item: item.row is not None):
        members = list(group)
        if not by_row:
            yield from zip(members, map_in_threads(_digest_files, members), strict=True)
        else:
            for path, rows in groupby(members, key=lambda item: item.paths[0]):
                yield from _digest_rows(path, list(rows))


def _digest_files(item: Item) -> tuple[str, ...]:
    return tuple(file_digest(path) for path in item.paths)


def _digest_rows(path: Path, items: list[Item]) -> Iterator[tuple[Item, tuple[str, ...]]]:
    try:
        with hdf5_file.open_file(path) as file:
            values = hdf5_file.LazyRows(hdf5_file.check_dataset(hdf5_file.find_dataset(file, "aviris")))
            for item in items:
                row = item.row or 0
                yield item, (hashlib.sha256(values.read_rows(row, row + 1).tobytes()).hexdigest(),)
    except UnreadableError as reason:
        raise hdf5_file.unreadable_patches(path, reason) from None


def data_digest(digests: Mapping[str, tuple[str, ...]]) -> str:
    """SHA-256 of a whole data set: names and contents, whatever their order."""
    rows = "\n".join("\0".join((name, *digest)) for name, digest in sorted(digests.items()))
    return hashlib.sha256(rows.encode(errors="surrogateescape")).hexdigest()


def shorten_digests(digests: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """By name, 12 hex digits of a digest of all files of an item, which show whether it changed."""
    return {name: hashlib.sha256("".join(digest).encode()).hexdigest()[:12] for name, digest in digests.items()}


def duplicate_groups(items: Iterable[Item], digests: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """Names of items that have a file in common, by content, in sorted groups.

    Files are equal when their SHA-256 is: no two files are compared byte by byte. An image with one value everywhere
    joins nothing, because nodata tiles are equal without showing the same ground. An item of two files may be in two
    groups.
    """
    holders: dict[str, list[tuple[str, Path | None]]] = defaultdict(list)
    for item in items:
        for k, digest in enumerate(digests[item.name]):
            path = item.paths[k] if item.row is None else None
            holders[digest].append((item.name, path))
    groups = []
    for held_by in holders.values():
        names = sorted({name for name, _ in held_by})
        if len(names) > 1 and not _is_blank(held_by[0][1]):
            groups.append(names)
    return sorted(groups)


def _is_blank(path: Path | None) -> bool:
    """Whether an image has one value everywhere; False for rows of HDF5 files and unreadable images."""
    if path is None:
        return False
    try:
        values = rasters.read_raster(path).values
    except UnreadableError:
        return False
    return bool(values.size and np.all(values == values.flat[0]))
