"""Landmarks: places of an image that move with its content, and the same places found in other images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Grey = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

RADIUS = 3  # of two landmarks of one kind, neither lies this near to the other
REACH = 6  # how far from a landmark its word looks
MOST_LANDMARKS = 2048  # about as many as 320 x 320 pixels have
LEAST_CONTRAST = 0.5  # of a landmark, in grey values
NEIGHBOURS = 8  # words of one key that each word is compared with
MOST_DIFFERENT = 6  # bits of two words of one place


def _list_comparisons() -> tuple[Numbers, Numbers]:
    """Pairs of points around a landmark, as (row, col): of a grid of 5 x 5 points, all that are two steps apart."""
    half, step = REACH // 2, REACH
    grid = set(product(range(-REACH, REACH + 1, half), repeat=2))
    steps = ((0, step), (step, 0), (step, step), (step, -step))
    pairs = [((r, c), (r + dr, c + dc)) for r, c in sorted(grid) for dr, dc in steps if (r + dr, c + dc) in grid]
    first, second = zip(*pairs, strict=True)
    return np.array(first), np.array(second)


_FIRST, _SECOND = _list_comparisons()
_BITS = np.uint64(1) << np.arange(len(_FIRST), dtype=np.uint64)
_DARK = np.uint64(1 << len(_FIRST))
_KEYS = (_DARK | _BITS[0::2].sum(), _DARK | _BITS[1::2].sum())


class Landmarks(NamedTuple):
    """The places ``(N, 2)``, as (row, col), of the landmarks of one image, and a word of 49 bits of each."""

    places: Numbers
    words: Words


class Match(NamedTuple):
    """Two images by index, where the upper left pixel of the second lies in the first, and how many landmarks agree."""

    first: int
    second: int
    rows: int
    cols: int
    votes: int


def find_landmarks(grey: Grey) -> Landmarks:
    """The strongest bright and dark spots of ``grey (H, W)``: extremes of a band of its frequencies.

    A landmark is an extreme of its own neighbourhood, so that parts of an image have the landmarks of the whole. Its
    word tells of pairs of points around it which one is brighter, after smoothing: a change of brightness or contrast
    leaves it as it is, compression changes few bits. The last bit tells dark spots. After BRIEF (Calonder et al. 2010).
    """
    height, width = grey.shape
    if min(height, width) <= 2 * REACH:
        return Landmarks(np.empty((0, 2), np.int64), np.empty(0, np.uint64))
    smooth = ndimage.gaussian_filter(grey, 1.5, truncate=3)
    band = smooth - ndimage.gaussian_filter(smooth, 2.5, truncate=3)
    inner = (slice(REACH, height - REACH), slice(REACH, width - REACH))
    bright, dark = (_find_peaks(signed)[inner] for signed in (band, -band))
    places = np.argwhere(bright | dark) + REACH
    contrast = band[places[:, 0], places[:, 1]]
    strongest = np.sort(np.argsort(-np.abs(contrast), kind="stable")[:MOST_LANDMARKS])
    places, contrast = places[strongest], contrast[strongest]
    values = smooth.ravel()
    at = places[:, :1] * width + places[:, 1:]
    bits = values[at + _FIRST @ (width, 1)] > values[at + _SECOND @ (width, 1)]
    return Landmarks(places, bits @ _BITS | np.where(contrast < 0, _DARK, np.uint64(0)))


def _find_peaks(values: Grey) -> npt.NDArray[np.bool_]:
    peaks: npt.NDArray[np.bool_] = ndimage.maximum_filter(values, 2 * RADIUS + 1) == values
    return peaks & (values > LEAST_CONTRAST)


def match_landmarks(images: Sequence[Landmarks]) -> list[Match]:
    """Pairs of images in which at least two landmarks agree in one offset, sorted; of each the two best offsets.

    Words are sorted by half of their bits, and each is compared with the next ``NEIGHBOURS`` of the same half: the time
    grows with the number of images, not with its square. Many copies of one place are therefore linked in a chain.
    """
    image = np.repeat(np.arange(len(images)), [len(one.words) for one in images])
    if not len(image):
        return []
    places = np.concatenate([one.places for one in images])
    words = np.concatenate([one.words for one in images])
    found = [_pair_words(words, image, key) for key in _KEYS]
    one, other = np.unique(np.concatenate(found), axis=0).T
    rows = np.column_stack([image[one], image[other], places[one] - places[other]])
    offsets, votes = np.unique(rows, axis=0, return_counts=True)
    best: dict[tuple[int, int], list[Match]] = {}
    for (first, second, down, right), count in zip(offsets[votes > 1].tolist(), votes[votes > 1].tolist(), strict=True):
        best.setdefault((first, second), []).append(Match(first, second, down, right, count))
    return [match for pair in best for match in sorted(best[pair], key=lambda match: -match.votes)[:2]]


def _pair_words(words: Words, image: Numbers, key: np.uint64) -> Numbers:
    """Pairs ``(N, 2)`` of landmarks of different images whose words agree in ``key`` and nearly in all other bits."""
    order = np.lexsort((words, words & key))  # of one key, equal words come together
    keys = words[order] & key
    pairs = [np.empty((0, 2), np.int64)]
    for step in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(keys[step:] == keys[:-step])
        one, other = order[same], order[same + step]
        near = (np.bitwise_count(words[one] ^ words[other]) <= MOST_DIFFERENT) & (image[one] != image[other])
        pairs.append(np.sort(np.column_stack([one[near], other[near]]), axis=1))
    return np.concatenate(pairs)
