"""The order of training samples as a function of (seed, step), and the loader that starts anywhere in it."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.process_protocol import die_with_parent
from rsforge.seeds import derive

Key = tuple[int, int]


class IndexedDataset(Protocol):
    """A dataset whose item is a pure function of (epoch, index)."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Key, /) -> Any: ...

    def name(self, index: int) -> str: ...


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """A micro-batch: its share of the optimizer step, its place in it, and whom it holds."""

    batch: Any
    weight: float
    slot: int
    names: tuple[str, ...]


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


class _Guarded:
    """Hands an expected error over as a value: a loader would rebuild it as another type."""

    def __init__(self, samples: IndexedDataset) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> Any:
        try:
            return self.samples[key]
        except RsforgeError as error:
            return error


class _Collate:
    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list[Any]) -> Any:
        return next((i for i in items if isinstance(i, RsforgeError)), None) or self.collate(items)


def to_device(batch: Any, device: torch.device) -> Any:
    """``batch`` on ``device``: a tensor, or mappings, sequences and objects with ``to`` that hold tensors."""
    if isinstance(batch, Tensor) or hasattr(batch, "to"):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {k: to_device(v, device) for k, v in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(v, device) for v in batch)
    return batch


class BatchLoader:
    """Shuffled micro-batches of one process, epoch after epoch, from any optimizer step on.

    An optimizer step takes ``accumulate * world.size`` micro-batches of the epoch's permutation; micro-batch
    ``m * size + rank`` is the ``m``-th of this process. Nothing is dropped: an epoch is cut into micro-batches of
    nearly equal size, at most ``batch_size``; the last step may have fewer, and all count by their samples.
    """

    def __init__(
        self,
        samples: IndexedDataset,
        *,
        batch_size: int,
        accumulate: int = 1,
        seed: int = 0,
        workers: int = 0,
        world: SingleProcess | None = None,
        shuffle: bool = True,
        pin_memory: bool = False,
        collate: Callable[[list[Any]], Any] = default_collate,
    ) -> None:
        self.samples, self.batch_size, self.seed, self.shuffle = samples, batch_size, seed, shuffle
        self.world = world or SingleProcess()
        self.per_step = accumulate * self.world.size
        self.micro_per_epoch = -(-len(samples) // batch_size)
        self.steps_per_epoch = -(-self.micro_per_epoch // self.per_step)
        self._loader_arguments: dict[str, Any] = {
            "num_workers": workers,
            "pin_memory": pin_memory,
            "collate_fn": _Collate(collate),
            "worker_init_fn": DieWithParent(),
        }

    def slots(self, step: int) -> list[tuple[int, list[Key]]]:
        """Every micro-batch of optimizer step ``step``, over all processes: (place, keys)."""
        epoch, within = divmod(step, self.steps_per_epoch)
        count, micros, first = len(self.samples), self.micro_per_epoch, within * self.per_step
        order = _permutation(self.seed, epoch, count) if self.shuffle else range(count)
        # A tail of one sample would be too little for batch statistics.
        edges = [m * count // micros for m in range(micros + 1)]
        chunks = range(first, min(first + self.per_step, micros))
        return [(m - first, [(epoch, i) for i in order[edges[m] : edges[m + 1]]]) for m in chunks]

    def steps(self, start: int, stop: int) -> Generator[list[MicroBatch]]:
        """This process's micro-batches of the steps ``start`` to ``stop``; a share may be empty."""
        batches = self._load(start, stop)
        for step in range(start, stop):
            total = sum(len(keys) for _, keys in self.slots(step))
            yield [
                MicroBatch(next(batches), len(keys) / total, slot, self._names(keys)) for slot, keys in self._own(step)
            ]

    def _own(self, step: int) -> list[tuple[int, list[Key]]]:
        return [(p, keys) for p, keys in self.slots(step) if self.world.takes(p)]

    def _names(self, keys: Sequence[Key]) -> tuple[str, ...]:
        return tuple(self.samples.name(index) for _, index in keys)

    def _load(self, start: int, stop: int) -> Iterator[Any]:
        # A loader of its own generator: creating one would otherwise draw from the global random state.
        loader: DataLoader[Any] = DataLoader(
            _Guarded(self.samples),  # type: ignore[arg-type]
            batch_sampler=_Keys(self, start, stop),
            generator=torch.Generator().manual_seed(derive(self.seed, "loader")),
            **self._loader_arguments,
        )
        try:
            for batch in loader:
                if isinstance(batch, RsforgeError):
                    raise batch
                yield batch
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise RsforgeError("RSF-E009", "a loader process died", found=str(error).splitlines()[0]) from error


class _Keys:
    """The keys of this process's micro-batches, made as the loader asks for them."""

    def __init__(self, feed: BatchLoader, start: int, stop: int) -> None:
        self.feed, self.span = feed, range(start, stop)

    def __iter__(self) -> Iterator[list[Key]]:
        return (keys for step in self.span for _, keys in self.feed._own(step))


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
