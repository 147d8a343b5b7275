from __future__ import annotations

import threading
import time

import pytest

from rsforge.data.io.threads import map_in_threads


def test_results_keep_the_order_of_the_items() -> None:
    def slow_first(k: int) -> int:
        time.sleep(0.002 * (k % 3 == 0))
        return k * k

    assert list(map_in_threads(slow_first, range(100))) == [k * k for k in range(100)]
    assert list(map_in_threads(slow_first, [])) == []


def test_more_than_one_works_at_once() -> None:
    barrier = threading.Barrier(2, timeout=5)
    assert len(list(map_in_threads(lambda k: barrier.wait(), range(2)))) == 2


def test_a_failure_is_raised_in_its_place_and_stops_the_rest() -> None:
    begun: list[int] = []

    def fail_at_3(k: int) -> int:
        begun.append(k)
        return 1 // (k - 3)

    results = map_in_threads(fail_at_3, range(10_000))
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(begun) < 100


def test_no_more_items_are_pending_than_may_weigh_so_much_together() -> None:
    taken: list[int] = []
    items = (taken.append(k) or k for k in range(20))  # type: ignore[func-returns-value]
    results = map_in_threads(lambda k: k, items, 2, 16, weight=lambda _: 10, most_weight=25)
    assert next(results) == 0 and len(taken) == 3
    assert list(results) == list(range(1, 20))
