"""Processes of a loader: how their errors arrive, and that none of them outlives its reader."""

from __future__ import annotations

import errno
import multiprocessing
import resource
import time
from types import SimpleNamespace

import pytest
import torch

from rsforge.engine import loader_processes
from rsforge.engine.loader import BatchLoader
from rsforge.engine.validation import Validation
from rsforge.errors import RsforgeError
from tests.engine.toys import Points


class Failing(Points):
    def __init__(self, error):
        super().__init__(4)
        self.error = error

    def __getitem__(self, key):
        raise self.error


def read(samples, workers=2):
    return list(BatchLoader(samples, batch_size=2, workers=workers).steps(0, 1))


def test_no_process_outlives_an_error_that_it_met():
    with pytest.raises(ValueError, match="not an image") as caught:
        read(Failing(ValueError("not an image")))
    # The traceback holds the loader as long as the error is told.
    assert caught.tb and not multiprocessing.active_children()


def test_no_process_outlives_an_error_in_a_validation():
    task = SimpleNamespace(validation=lambda: None)  # an accumulator that fails at its first batch
    loader = BatchLoader(Points(4), batch_size=2, workers=1)
    with pytest.raises(AttributeError) as caught:
        Validation(task, loader, device=torch.device("cpu"))()
    assert caught.tb and not multiprocessing.active_children()


def test_a_process_that_does_not_answer_is_killed(monkeypatch):
    class Stuck(Points):
        def __getitem__(self, key):
            if key[1] > 1:
                time.sleep(60)
            return super().__getitem__(key)

    monkeypatch.setattr(loader_processes, "GRACE_S", 0.2)
    steps = BatchLoader(Stuck(4), batch_size=2, workers=2, shuffle=False).steps(0, 2)
    next(steps)
    began = time.monotonic()
    steps.close()
    assert not multiprocessing.active_children() and time.monotonic() - began < 10


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_system_names_its_file_whatever_the_workers(workers):
    with pytest.raises(RsforgeError) as caught:
        read(Failing(OSError(errno.EACCES, "Permission denied", "a.png")), workers)
    assert (caught.value.code, caught.value.where) == ("RSF-E002", "a.png")


def test_a_runtime_error_of_a_dataset_is_no_dead_process():
    with pytest.raises(RuntimeError, match="wrong shape"):
        read(Failing(RuntimeError("wrong shape")))


class Large(Points):
    def __getitem__(self, key):
        return {"x": torch.zeros(1 << 20)}


def test_shared_memory_that_is_too_small_is_named():
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))  # holds for shared memory as for other files
    try:
        with pytest.raises(RsforgeError, match="shared memory is too small") as caught:
            read(Large(4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == "RSF-E009" and "--num-workers 0" in caught.value.fix


def test_shared_memory_without_room_for_the_queues_is_named(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(loader_processes.DataLoader, "__iter__", refuse)
    with pytest.raises(RsforgeError) as caught:
        read(Points(4))
    assert (caught.value.code, caught.value.where) == ("RSF-E009", "/dev/shm")
