"""Processes that wait for each other: who is missing is named, and a signal ends the wait."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from rsforge.engine.rendezvous import meet
from rsforge.errors import RsforgeError
from rsforge.launch_variables import Launch


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(("rank", "missing"), [(0, "rank 1, 2"), (1, "rank 0")])
def test_who_does_not_come_is_named(port, rank, missing):
    with pytest.raises(RsforgeError) as caught:
        meet(Launch(rank, 3, rank, "127.0.0.1", port), patience_s=0.2)
    assert caught.value.code == "RSF-E012" and caught.value.found == f"no word of {missing}"


@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_ends_the_wait(port, rank):
    def stop(number, frame):
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, stop)
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            meet(Launch(rank, 2, rank, "127.0.0.1", port), patience_s=60)
    finally:
        signal.signal(signal.SIGALRM, former)
    assert time.monotonic() - began < 10


def test_processes_meet_whichever_comes_first(port):
    stores = {}
    late = threading.Thread(target=lambda: stores.update({0: meet(Launch(0, 2, 0, "127.0.0.1", port), 20)}))
    timer = threading.Timer(0.3, late.start)
    timer.start()
    stores[1] = meet(Launch(1, 2, 1, "127.0.0.1", port), 20)
    timer.join()
    late.join()
    stores[1].set("word", "here")
    assert stores[0].get("word") == b"here"


def test_an_address_where_nobody_can_wait_is_named(port):
    with socket.create_server(("127.0.0.1", port)), pytest.raises(RsforgeError) as caught:
        meet(Launch(0, 2, 0, "127.0.0.1", port), patience_s=1)
    assert caught.value.code == "RSF-E012" and str(port) in caught.value.what
