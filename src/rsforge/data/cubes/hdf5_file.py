"""HDF5 files of unknown origin: numeric data sets stored in the file itself, read by whole chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rsforge.data.files.other_commands import advise_cutting
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.native_output import first_line
from rsforge.errors import RsforgeError

Array = npt.NDArray[Any]

CHUNK_CACHE = 64 << 20
MAX_CHUNK = 256 << 20
MAX_SLAB = 256 << 20
MAX_OBJECTS = 100_000
MAX_LINKS = 16
NUMBERS = "iuf"
_WITH_TRUTHS = NUMBERS + "b"


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading, with a cache for the chunks under a row of windows; ``UnreadableError`` if not HDF5."""
    with open_unmanaged(path, CHUNK_CACHE) as file:
        yield file


def open_unmanaged(path: Path, cache: int = 0) -> h5py.File:
    """An open file that the caller closes, or the end of the process; ``UnreadableError`` if not HDF5.

    ``cache`` is in bytes for each data set; files that are read at random places need none.
    """
    if not path.is_file():
        raise UnreadableError("it is not a regular file")
    with translate_errors("it is not an intact HDF5 file"):
        return h5py.File(path, "r", locking=False, rdcc_nbytes=cache, rdcc_w0=1.0)


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Raise whatever the library raises in the block as ``UnreadableError``: ``what`` and the reason in brackets."""
    try:
        yield
    except UnreadableError:
        raise
    # Decoders raise many types for damaged files: zlib.error, KeyError, MemoryError, ...
    except Exception as error:
        raise UnreadableError(f"{what} ({first_line(error)})") from error


@translate_errors("it is a damaged HDF5 file")
def list_numeric_datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """All data sets of real numbers and of truth values by path, sorted; soft and external links are not followed."""
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
            elif isinstance(thing, h5py.Dataset) and _numpy_kind(thing) in _WITH_TRUTHS:
                found[f"{prefix}/{key}"] = thing
    return dict(sorted(found.items()))


def _numpy_kind(dataset: h5py.Dataset) -> str:
    """The numpy kind of the values, ``?`` where numpy has none (times, strange floats)."""
    try:
        return str(dataset.dtype.kind)
    except (TypeError, ValueError, NotImplementedError):
        return "?"


class MissingDataset(UnreadableError):  # noqa: N818
    """A file without a data set that it should hold: it may be one of another kind."""


@translate_errors("it is a damaged HDF5 file")
def find_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """The data set at ``name``, soft links resolved here; a link to another file raises ``UnreadableError``.

    ``MissingDataset`` where there is none.
    """
    parts = name.strip("/").split("/")
    walked: list[str] = []
    links = 0
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
            # Start again at the root: a relative link begins in the group that holds it.
            before = [] if link.path.startswith("/") else walked
            parts = [*before, *link.path.strip("/").split("/"), *parts]
            thing = file
            walked = []
        elif link is None:
            raise MissingDataset(f"it holds no {name}")
        else:
            thing = thing[part]
            walked.append(part)
    if not isinstance(thing, h5py.Dataset):
        raise UnreadableError(f"{name} is a group, not a data set")
    return thing


@translate_errors("it is a damaged HDF5 file")
def check_dataset(dataset: h5py.Dataset, kinds: str = NUMBERS) -> h5py.Dataset:
    """Return ``dataset`` if its values are real numbers stored in this file and can be decoded; ``UnreadableError``."""
    name = dataset.name
    if _numpy_kind(dataset) not in kinds:
        shown = dataset.dtype if _numpy_kind(dataset) != "?" else "of a type without equal"
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
    for number in range(plan.get_nfilters()):
        code, _, _, label = plan.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            shown = label.decode(errors="replace") or f"number {code}"
            raise UnreadableError(f"{name} is compressed by the filter {shown}, which is not installed")
    return dataset


def _check_sources(dataset: h5py.Dataset) -> None:
    for source in dataset.virtual_sources():
        if source.file_name != ".":
            raise UnreadableError(f"{dataset.name} is assembled from other files, which are not opened")
        part = find_dataset(dataset.file, source.dset_name)
        if part.is_virtual:
            raise UnreadableError(f"{dataset.name} is assembled from what is itself assembled")
        check_dataset(part)


@translate_errors("its attributes are damaged")
def find_attribute(thing: h5py.HLObject, names: tuple[str, ...]) -> object:
    """The first attribute whose name in lower case is one of ``names``, None when there is none."""
    return next((thing.attrs[key] for key in thing.attrs if key.lower() in names), None)


def read_small(dataset: h5py.Dataset, most: int = 1 << 20) -> Array:
    """All values of a checked data set of at most ``most`` numbers."""
    check_dataset(dataset, _WITH_TRUTHS)
    if dataset.size > most:
        raise UnreadableError(f"{dataset.name} has {dataset.size:,} values, more than {most:,}")
    with translate_errors(f"{dataset.name} cannot be read"):
        return np.asarray(dataset[()])


class LazyRows:
    """The rows of a checked data set, read on demand; reading them in order decodes each chunk once.

    The last slab of whole chunks stays in memory, unless it has more than ``max_slab`` bytes.
    """

    def __init__(self, dataset: h5py.Dataset, max_slab: int = MAX_SLAB) -> None:
        self._dataset = dataset
        self.shape = tuple(dataset.shape)
        self.dtype = dataset.dtype
        self._step = dataset.chunks[0] if dataset.chunks else 1
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._kept_steps = max_slab // max(row * self._step, 1)
        self._slab: tuple[int, int, Array] = (0, 0, np.empty((0, *self.shape[1:]), self.dtype))

    def __len__(self) -> int:
        return int(self.shape[0])

    def read_rows(self, start: int, stop: int) -> Array:
        """Values ``(stop - start, ...)`` of the half-open range, which must lie in the data set (IndexError)."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"rows {start}:{stop} of {len(self)}")
        first, last, kept = self._slab
        if first <= start and stop <= last:
            return kept[start - first : stop - first].copy()
        # The range extended to whole chunks: a row read alone would decode its chunk and drop the rest of it.
        low = start // self._step * self._step
        high = min(math.ceil(stop / self._step) * self._step, len(self))
        if (high - low) > self._kept_steps * self._step:
            return self._read(start, stop)
        self._slab = (low, high, self._read(low, high))
        return self._slab[2][start - low : stop - low].copy()

    def _read(self, start: int, stop: int) -> Array:
        with translate_errors(f"{self._dataset.name} cannot be read"):
            return np.asarray(self._dataset[start:stop])


def unreadable_patches(path: Path, reason: UnreadableError) -> RsforgeError:
    """RSF-D008 for a file of patches; where it lacks their arrays, the remedy says how a cube is cut into patches."""
    fix = advise_cutting(path) if isinstance(reason, MissingDataset) else reason.fix
    return RsforgeError("RSF-D008", f"{path.name} cannot be used as patches: {reason}", where=str(path), fix=fix)
