"""The processes of a loader: what they hand over, how they fail, and how they end with whoever reads from them."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from torch.utils.data import DataLoader

from rsforge.errors import RsforgeError, from_os_error, from_worker_error, small_shared_memory
from rsforge.process_protocol import die_with_parent

GRACE_S = 3.0


class _Samples(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...


class DieWithParent:
    """A loader worker ends with the trainer, also when the trainer is killed before the worker looks for it."""

    def __init__(self) -> None:
        self.parent = os.getpid()

    def __call__(self, worker: int) -> None:
        # A signal to the whole group is the trainer's to answer: it still needs its workers to end in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        die_with_parent()
        if os.getppid() != self.parent:
            os._exit(1)


class GuardedSamples:
    """Hands an expected error over as a value: a loader would rebuild it as another type, without its parts."""

    def __init__(self, samples: _Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.samples[key]
        except RsforgeError as error:
            return error
        except OSError as error:
            return from_os_error(error)


class GuardedCollate:
    """``collate``, or the first expected error among the items."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list[Any]) -> Any:
        for item in items:
            if isinstance(item, RsforgeError):
                return item
        return self.collate(items)


def read_batches(loader: DataLoader[Any]) -> Generator[Any]:
    """The batches of a ``loader`` of guarded samples.

    Its processes have ended when the generator ends, for whatever reason: they ignore SIGTERM, so Python would wait
    for them at its exit for ever. RSF-E009 where one died or shared memory is too small for what they send.
    """
    before = set(multiprocessing.active_children())
    batches: Iterable[Any] = ()
    try:
        batches = iter(loader)
        for batch in batches:
            if isinstance(batch, RsforgeError):
                raise batch
            yield batch
    except RuntimeError as error:
        if (failure := from_worker_error(error)) is not None:
            raise failure from error
        raise
    except OSError as error:
        # The queues need semaphores, which lie in shared memory too.
        if error.errno == errno.ENOSPC and not error.filename:
            raise small_shared_memory(str(error)) from error
        raise
    finally:
        _end(batches, set(multiprocessing.active_children()) - before)


def _end(batches: Iterable[Any], workers: set[BaseProcess]) -> None:
    """End ``workers`` in order, those that do not answer by SIGKILL."""
    if not workers:
        return
    impatience = threading.Timer(GRACE_S, _kill, (workers,))
    impatience.start()
    # The loader reports its own killed processes as errors, whatever the main thread is doing.
    with contextlib.suppress(RuntimeError):
        getattr(batches, "_shutdown_workers", lambda: None)()
    impatience.cancel()
    impatience.join()
    _kill(workers)
    for worker in workers:
        worker.join()


def _kill(workers: set[BaseProcess]) -> None:
    for worker in workers:
        worker.kill()
