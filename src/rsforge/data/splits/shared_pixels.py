"""Patches that share pixels, found by what they show, where neither names nor windows say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import fft

from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import read_centre
from rsforge.data.io.threads import map_in_threads
from rsforge.data.sar.matching_scale import scale_for_matching
from rsforge.data.splits.items import Item, SharedPixels
from rsforge.data.splits.landmarks import Grey, Landmarks, Match, Numbers, find_landmarks, match_landmarks
from rsforge.data.splits.overlap import DisjointSet

LEAST_SHARE = 0.1
LEAST_SIDE = 16  # of the shared rectangle, in pixels
LEAST_CORRELATION = 0.7  # JPEGs of quality 30 reach it, different places at most 0.5
LEAST_DETAIL = 0.6
LEAST_VOTES = 0.1  # of the landmarks in the shared rectangle
NOISE = 3.0  # standard deviation in grey values
BANDS = 3
KEPT = 64  # images kept in memory while pairs are compared
_LOW, _HIGH = 1, 99  # percentiles
_LEAST_RANGE = 32  # of 8-bit values
_FREQUENCIES = (0.03, 0.2)  # higher ones do not survive compression


def find_shared_pixels(
    items: Sequence[Item],
    digests: Mapping[str, Sequence[str]],
    step: Callable[[], None] = lambda: None,
    *,
    every_file: bool = False,
) -> list[SharedPixels]:
    """Pairs of items that share at least a tenth of their pixels at one offset, sorted by name, whatever their order.

    Of pairs the optical image is compared, or with ``every_file`` all images. Copies (items with a digest in common)
    and items in one plane are left out: their windows say whether they overlap. Rows of HDF5 files and unreadable
    images share nothing. Found are patches cut from one image, also after compression or another stretch; not those of
    another resolution, turned or mirrored ones, nor small parts of patches of few pixels, and of large images only
    their strongest landmarks are compared. ``step`` is called after each item.
    """
    files = sorted(_list_files(items, every_file), key=lambda file: (file[0].name, file[1]))
    landmarks = []
    for own in map_in_threads(lambda file: _read_landmarks(file[1]), files):
        landmarks.append(own)
        step()
    comparison = _Comparison([path for _, path in files], landmarks)
    best: dict[tuple[str, str], SharedPixels] = {}
    for match in match_landmarks(landmarks):
        one, other = files[match.first][0], files[match.second][0]
        if _is_known(one, other, digests):
            continue
        shared = comparison.verify(match, (one.name, other.name))
        if shared and shared.correlation > getattr(best.get(shared.names), "correlation", 0):
            best[shared.names] = shared
    return [best[names] for names in sorted(best)]


def list_groups(shared: Sequence[SharedPixels]) -> list[list[str]]:
    """The names of items that hang together by shared pixels, in sorted groups."""
    sets = DisjointSet()
    for one in shared:
        sets.join(*one.names)
    groups: dict[str, list[str]] = {}
    for name in sorted({name for one in shared for name in one.names}):
        groups.setdefault(sets.find_root(name), []).append(name)
    return sorted(groups.values())


def _list_files(items: Sequence[Item], every_file: bool) -> Iterator[tuple[Item, Path]]:
    for item in items:
        if item.row is None:
            yield from ((item, path) for path in (item.paths if every_file else item.paths[-1:]))


def _is_known(one: Item, other: Item, digests: Mapping[str, Sequence[str]]) -> bool:
    """Whether two items are one, copies, or lie in one plane."""
    same_plane = not one.windows_by_plane.keys().isdisjoint(other.windows_by_plane)
    return one.name == other.name or same_plane or not set(digests[one.name]).isdisjoint(digests[other.name])


def _read_landmarks(path: Path) -> Landmarks:
    try:
        return find_landmarks(read_grey(path))
    except UnreadableError:  # reported by whoever opens the image
        return find_landmarks(np.zeros((1, 1), np.float32))


def read_grey(path: Path) -> Grey:
    """The mean of the first bands as float32 ``(H, W)``, stretched so that most values lie 255 apart.

    Values are those in which SAR and optical images are compared: powers on a log scale, invalid ones at the mean.
    ``UnreadableError`` as by ``read_centre``.
    """
    raster = read_centre(path)
    grey: Grey = scale_for_matching(raster.values[..., :BANDS], raster.valid).mean(axis=2)
    low, high = np.percentile(grey, (_LOW, _HIGH))
    least = _LEAST_RANGE if raster.values.dtype == np.uint8 else np.finfo(np.float32).tiny
    return np.asarray((grey - low) * (255 / max(high - low, least)), np.float32)


class _Comparison:
    """The images of ``paths``, compared pixel by pixel where their ``landmarks`` agree."""

    def __init__(self, paths: Sequence[Path], landmarks: Sequence[Landmarks]) -> None:
        self.paths = paths
        self.landmarks = landmarks
        self._read = lru_cache(KEPT)(lambda index: read_grey(paths[index]))

    def verify(self, match: Match, names: tuple[str, str]) -> SharedPixels | None:
        """What two images share where ``match`` lays them on each other; None where their pixels differ."""
        first, second = self._read(match.first), self._read(match.second)
        offset = np.array([match.rows, match.cols])
        start, end = np.maximum(offset, 0), np.minimum(first.shape, second.shape + offset)
        height, width = end - start
        share = float(max(height, 0) * max(width, 0) / min(first.size, second.size))
        if share < LEAST_SHARE or min(height, width) < LEAST_SIDE or match.votes < self._least_votes(match, start, end):
            return None
        parts = _cut(first, start, end), _cut(second, start - offset, end - offset)
        correlation, detail = correlate(*parts)
        if correlation < LEAST_CORRELATION or detail < LEAST_DETAIL:
            return None
        return SharedPixels(names, round(share, 4), (match.rows, match.cols), round(correlation, 4))

    def _least_votes(self, match: Match, start: Numbers, end: Numbers) -> float:
        offset = np.array([match.rows, match.cols])
        counts = []
        for index, by in ((match.first, offset * 0), (match.second, offset)):
            places = self.landmarks[index].places + by
            counts.append(int(np.sum(np.all((places >= start) & (places < end), axis=1))))
        return LEAST_VOTES * min(counts)


def _cut(grey: Grey, start: Numbers, end: Numbers) -> Grey:
    return grey[start[0] : end[0], start[1] : end[1]]


def correlate(one: Grey, other: Grey) -> tuple[float, float]:
    """The correlation (-1 to 1) of the details of two images ``(H, W)``, and how far they stand above noise (0 to 1).

    Phases are compared: every frequency of ``_FREQUENCIES``, in cycles a pixel, counts alike as far as both images hold
    more of it than noise. A strong edge or the rows of a field, which are few frequencies, cannot decide alone.
    """
    height, width = one.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    spectra = [fft.rfft2((grey - grey.mean()) * window) for grey in (one, other)]
    frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))
    cross = (spectra[0] * spectra[1].conj())[(frequency > _FREQUENCIES[0]) & (frequency < _FREQUENCIES[1])]
    power = np.abs(cross)
    noise = NOISE**2 * np.sum(window**2)
    weights = power / (power + noise)
    return float(np.sum(cross.real / (power + noise)) / max(np.sum(weights), 1e-9)), float(np.mean(weights))
