"""HDF5 opened with care: what lies in the file itself, as numbers, by whole chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rsforge.data.io.image_reader import UnreadableError

Array = npt.NDArray[Any]

CHUNK_CACHE = 64 << 20
MAX_CHUNK = 256 << 20
MAX_SLAB = 256 << 20
MAX_OBJECTS = 100_000
MAX_LINKS = 16
NUMBERS = "iuf"


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file for reading, with room for the chunks under a row of windows; no HDF5 raises ``UnreadableError``."""
    if not path.is_file():
        raise UnreadableError("it is not a regular file")
    with failing("it is not an intact HDF5 file"):
        file = h5py.File(path, "r", locking=False, rdcc_nbytes=CHUNK_CACHE, rdcc_w0=1.0)
    with file:
        yield file


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Whatever the library raises about a file's contents, as ``UnreadableError``."""
    try:
        yield
    except UnreadableError:
        raise
    # Decoders raise whatever a damaged file leads them to: zlib.error, KeyError, MemoryError, ...
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnreadableError(f"{what} ({reason})") from error


@failing("it is a damaged HDF5 file")
def numeric_datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """All data sets of real numbers by path, sorted; soft and external links are not followed."""
    found: dict[str, h5py.Dataset] = {}
    seen: set[int] = set()
    pending: list[tuple[str, h5py.Group]] = [("", file)]
    while pending:
        prefix, group = pending.pop()
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue
            thing = group[key]
            address = int(h5py.h5o.get_info(thing.id).addr)
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MAX_OBJECTS:
                raise UnreadableError(f"it holds more than {MAX_OBJECTS:,} objects")
            if isinstance(thing, h5py.Group):
                pending.append((f"{prefix}/{key}", thing))
            elif isinstance(thing, h5py.Dataset) and _kind(thing) in NUMBERS:
                found[f"{prefix}/{key}"] = thing
    return dict(sorted(found.items()))


def _kind(dataset: h5py.Dataset) -> str:
    """The numpy kind of the values, ``?`` where numpy has none (times, strange floats)."""
    try:
        return str(dataset.dtype.kind)
    except (TypeError, ValueError, NotImplementedError):
        return "?"


@failing("it is a damaged HDF5 file")
def find(file: h5py.File, name: str) -> h5py.Dataset:
    """The data set at ``name``, links resolved by hand; one out of the file raises ``UnreadableError``."""
    parts, walked, links = name.strip("/").split("/"), list[str](), 0
    thing: Any = file
    while parts:
        part = parts.pop(0)
        link = thing.get(part, getlink=True) if isinstance(thing, h5py.Group) and part else None
        if isinstance(link, h5py.ExternalLink):
            raise UnreadableError(f"{name} is a link to another file, {link.filename!r}, which is not followed")
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > MAX_LINKS:
                raise UnreadableError(f"{name} is a link that leads in a circle")
            target = link.path.strip("/").split("/")
            thing, parts = file, [*([] if link.path.startswith("/") else walked), *target, *parts]
            walked = []
        elif link is None:
            raise UnreadableError(f"it holds no {name}")
        else:
            thing = thing[part]
            walked.append(part)
    if not isinstance(thing, h5py.Dataset):
        raise UnreadableError(f"{name} is a group, not a data set")
    return thing


@failing("it is a damaged HDF5 file")
def check(dataset: h5py.Dataset) -> h5py.Dataset:
    """``dataset`` when its values are real numbers stored in this file and readable here, else ``UnreadableError``."""
    name = dataset.name
    if _kind(dataset) not in NUMBERS:
        shown = dataset.dtype if _kind(dataset) != "?" else "of a type without equal"
        raise UnreadableError(f"{name} holds no real numbers ({shown})")
    if dataset.shape is None:
        raise UnreadableError(f"{name} is empty")
    if dataset.external:
        raise UnreadableError(f"the values of {name} lie in another file, {dataset.external[0][0]!r}")
    if dataset.is_virtual:
        _check_sources(dataset)
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > MAX_CHUNK:
        raise UnreadableError(f"a chunk of {name} has {dataset.chunks} values, more than {MAX_CHUNK >> 20} MiB")
    plan = dataset.id.get_create_plist()
    for code, _, _, label in (plan.get_filter(k) for k in range(plan.get_nfilters())):
        if not h5py.h5z.filter_avail(code):
            shown = label.decode(errors="replace") or f"number {code}"
            raise UnreadableError(f"{name} is compressed by the filter {shown}, which is not installed")
    return dataset


def _check_sources(dataset: h5py.Dataset) -> None:
    for source in dataset.virtual_sources():
        if source.file_name != ".":
            raise UnreadableError(f"{dataset.name} is assembled from other files, which are not opened")
        part = find(dataset.file, source.dset_name)
        if part.is_virtual:
            raise UnreadableError(f"{dataset.name} is assembled from what is itself assembled")
        check(part)


@failing("its attributes are damaged")
def attribute(thing: h5py.HLObject, names: tuple[str, ...]) -> object:
    """The first attribute whose name in lower case is one of ``names``, None when there is none."""
    return next((thing.attrs[key] for key in thing.attrs if key.lower() in names), None)


def small(dataset: h5py.Dataset, most: int = 1 << 20) -> Array:
    """All values of a checked data set of at most ``most`` numbers."""
    check(dataset)
    if dataset.size > most:
        raise UnreadableError(f"{dataset.name} has {dataset.size:,} values, more than {most:,}")
    with failing(f"{dataset.name} cannot be read"):
        return np.asarray(dataset[()])


class Lazy:
    """The rows of a checked data set, read when asked for, each chunk decoded once by walks in order.

    The last slab of whole chunks is kept, unless it is more than ``max_slab`` bytes.
    """

    def __init__(self, dataset: h5py.Dataset, max_slab: int = MAX_SLAB) -> None:
        self._dataset, self.shape, self.dtype = dataset, tuple(dataset.shape), dataset.dtype
        self._step = dataset.chunks[0] if dataset.chunks else 1
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._kept_steps = max_slab // max(row * self._step, 1)
        self._slab: tuple[int, int, Array] = (0, 0, np.empty((0, *self.shape[1:]), self.dtype))

    def __len__(self) -> int:
        return int(self.shape[0])

    def rows(self, start: int, stop: int) -> Array:
        """Values ``(stop - start, ...)`` of the half-open range, which must lie in the data set (IndexError)."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"rows {start}:{stop} of {len(self)}")
        first, last, kept = self._slab
        if first <= start and stop <= last:
            return kept[start - first : stop - first].copy()
        low, high = start // self._step * self._step, min(-(-stop // self._step) * self._step, len(self))
        if (high - low) > self._kept_steps * self._step:
            return self._read(start, stop)
        self._slab = (low, high, self._read(low, high))
        return self._slab[2][start - low : stop - low].copy()

    def _read(self, start: int, stop: int) -> Array:
        with failing(f"{self._dataset.name} cannot be read"):
            return np.asarray(self._dataset[start:stop])
