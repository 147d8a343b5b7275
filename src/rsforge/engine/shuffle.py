"""A shuffled order whose items are computed one by one: nothing of the size of the data set is made."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch

from rsforge.seeds import derive

MASK = (1 << 64) - 1
ROUNDS = 6
Order = Callable[[int, int, int, int], int]
"""``order(seed, epoch, count, position)``: the index of the sample that stands at ``position`` of an epoch."""


def feistel(seed: int, epoch: int, count: int, position: int) -> int:
    """Index in ``range(count)`` at ``position``: a keyed permutation of the range, in constant time and memory.

    A generalised Feistel network on ``range(a * b)``, the smallest such rectangle that holds ``count``, walked until
    it comes out below ``count``. Black & Rogaway 2002, "Ciphers with arbitrary finite domains", method 3 with cycle
    walking.
    """
    key, a = _key(seed, epoch), max(1, math.isqrt(count - 1) + 1)
    b = -(-count // a)
    # The rectangle is at most one column larger than the range, so hardly any position is walked twice. A walk
    # ends: the network permutes the rectangle, so the cycle through ``position`` comes back into the range.
    while True:
        left, right = divmod(position, b)
        for turn in range(0, ROUNDS, 2):
            left = (left + _mix(right, key + turn)) % a
            right = (right + _mix(left, key + turn + 1)) % b
        position = left * b + right
        if position < count:
            return position


@functools.lru_cache(maxsize=16)
def _key(seed: int, epoch: int) -> int:
    return derive(seed, "order", epoch)


def _mix(value: int, key: int) -> int:
    """64 bits that depend on all of ``value`` and ``key``: SplitMix64's finaliser (Steele et al. 2014)."""
    z = (value * 0x9E3779B97F4A7C15 + key * 0xD1342543DE82EF95) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def drawn_whole(seed: int, epoch: int, count: int, position: int) -> int:
    """The order of checkpoints that name none: one draw of the whole epoch, kept for the newest few."""
    return _permutation(seed, epoch, count)[position]


def in_sequence(seed: int, epoch: int, count: int, position: int) -> int:
    """The order of a loader that does not shuffle."""
    return position


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order


ORDERS: dict[str, Order] = {"feistel": feistel, "randperm": drawn_whole, "none": in_sequence}
