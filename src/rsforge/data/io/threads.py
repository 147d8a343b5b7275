"""A function mapped over items in threads, results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
MOST_WEIGHT = 256 << 20


def weightless(item: object) -> int:
    """Zero, for items whose memory does not matter."""
    return 0


def map_in_threads(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int = 0,
    ahead: int = 0,
    *,
    weight: Callable[[T], int] = weightless,
    most_weight: int = MOST_WEIGHT,
) -> Generator[R]:
    """The results of ``function`` in the order of ``items``; an exception is raised at the place of its item.

    At most ``ahead`` calls are pending (0: four a worker), so that an abandoned or interrupted loop ends soon, and no
    further one is begun while pending items weigh more than ``most_weight`` bytes together. ``workers`` 0 means one a
    processor, from two to eight.
    """
    workers = workers or max(2, min(8, os.cpu_count() or 2))
    pending: deque[tuple[Future[R], int]] = deque()
    total = 0
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            pending.append((pool.submit(function, item), weight(item)))
            total += pending[-1][1]
            while pending and (len(pending) >= (ahead or 4 * workers) or total > most_weight):
                future, done = pending.popleft()
                total -= done
                yield future.result()
        while pending:
            yield pending.popleft()[0].result()
