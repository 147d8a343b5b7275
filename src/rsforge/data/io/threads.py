"""A function mapped over items in threads, results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(function: Callable[[T], R], items: Iterable[T], workers: int = 0, ahead: int = 0) -> Generator[R]:
    """The results of ``function`` in the order of ``items``; an exception is raised at the place of its item.

    At most ``ahead`` calls are pending (0: four a worker), so that an abandoned or interrupted loop ends soon.
    ``workers`` 0 means one a processor, from two to eight.
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
