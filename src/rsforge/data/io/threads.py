"""Many small readings at once, answered in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], items: Iterable[T], workers: int = 0, ahead: int = 0) -> Generator[R]:
    """The results of ``function`` in the order of ``items``; the first failure is raised in its place.

    Only ``ahead`` results are in flight (0: four a worker), so that an abandoned or interrupted walk ends at once.
    ``workers`` 0 takes one a processor, from two to eight.
    """
    workers = workers or max(2, min(8, os.cpu_count() or 2))
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= (ahead or 4 * workers):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
