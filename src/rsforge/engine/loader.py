"""Shuffled micro-batches of one process, in an order that can be entered at any step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.loader_processes import DieWithParent, GuardedCollate, GuardedSamples, read_batches
from rsforge.engine.shuffle import ORDERS
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

Key = tuple[int, int]


class IndexedDataset(Protocol):
    """A dataset whose item is a pure function of (epoch, index); a loader wants mappings of named values."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Key, /) -> Any: ...

    def name(self, index: int) -> str: ...


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """A micro-batch: its share of the optimizer step, its slot in it, and the names of its samples."""

    batch: Any
    weight: float
    slot: int
    names: tuple[str, ...]


def collate_named(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One mapping of many: tensors and numbers stacked, strings and records in lists, nested mappings likewise."""
    return {name: _collate_values([item[name] for item in items]) for name in items[0]}


def _collate_values(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, Mapping) and all(isinstance(value, (Mapping, Tensor)) for value in first.values()):
        return collate_named(values)
    if isinstance(first, (Tensor, int, float)):
        return default_collate(values)
    return values


def to_device(batch: Any, device: torch.device) -> Any:
    """``batch`` on ``device``: tensors and objects with ``to``, also inside mappings, sequences and named tuples."""
    if isinstance(batch, Tensor) or hasattr(batch, "to"):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: to_device(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


class BatchLoader:
    """Shuffled micro-batches of one process, epoch after epoch, from any optimizer step on.

    An optimizer step takes ``accumulate * world.size`` micro-batches of the epoch's order; micro-batch
    ``m * size + rank`` is the ``m``-th of this process. Nothing is dropped: an epoch is cut into micro-batches of
    nearly equal size, at most ``batch_size``; the last step may have fewer, and all count by their samples. With
    ``even`` every step of an epoch has as many micro-batches as the others, which tasks that gather from all processes
    need. ``order`` is one of ``shuffle.ORDERS``; what a step costs does not depend on the number of samples.
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
        even: bool = False,
        pin_memory: bool = False,
        collate: Callable[[list[Any]], Any] = collate_named,
    ) -> None:
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.order = "feistel" if shuffle else "none"
        self.world, self.workers = world or SingleProcess(), workers
        self.per_step = accumulate * self.world.size
        self.micro_per_epoch = -(-len(samples) // batch_size)
        if even:
            self.micro_per_epoch = -(-self.micro_per_epoch // self.per_step) * self.per_step
            check_even(len(samples), self.micro_per_epoch)
        self.steps_per_epoch = -(-self.micro_per_epoch // self.per_step)
        self._loader_arguments: dict[str, Any] = {
            "num_workers": workers,
            "pin_memory": pin_memory,
            "collate_fn": GuardedCollate(collate),
            "worker_init_fn": DieWithParent(),
        }

    @property
    def read_ahead(self) -> int:
        """The batches that workers hold ready, at most; torch has each of them read two."""
        return 2 * self.workers

    @property
    def largest(self) -> int:
        """Samples of the largest micro-batch."""
        return -(-len(self.samples) // self.micro_per_epoch)

    def slots(self, step: int) -> list[tuple[int, range]]:
        """The micro-batches of optimizer step ``step`` over all processes: slots, and positions in the order."""
        first = step % self.steps_per_epoch * self.per_step
        last = min(first + self.per_step, self.micro_per_epoch)
        # Cut nearly equally: a tail of one sample would be too little for batch statistics.
        edges = [m * len(self.samples) // self.micro_per_epoch for m in range(first, last + 1)]
        return [(slot, range(*span)) for slot, span in enumerate(pairwise(edges))]

    def keys(self, step: int, positions: range) -> list[Key]:
        """What stands at ``positions`` of the order in the epoch of ``step``."""
        epoch, order, count = step // self.steps_per_epoch, ORDERS[self.order], len(self.samples)
        return [(epoch, order(self.seed, epoch, count, position)) for position in positions]

    def steps(self, start: int, stop: int) -> Generator[list[MicroBatch]]:
        """This process's micro-batches of the steps ``start`` to ``stop``; a share may be empty."""
        with contextlib.closing(read_batches(self._open(start, stop))) as batches:
            for step in range(start, stop):
                total = sum(len(positions) for _, positions in self.slots(step))
                yield [
                    MicroBatch(next(batches), len(keys) / total, slot, self._names(keys))
                    for slot, keys in self._own(step)
                ]

    def _own(self, step: int) -> list[tuple[int, list[Key]]]:
        return [(slot, self.keys(step, span)) for slot, span in self.slots(step) if self.world.takes(slot)]

    def _names(self, keys: Sequence[Key]) -> tuple[str, ...]:
        return tuple(self.samples.name(index) for _, index in keys)

    def _open(self, start: int, stop: int) -> DataLoader[Any]:
        # A loader of its own generator: creating one would otherwise draw from the global random state.
        return DataLoader(
            GuardedSamples(self.samples),  # type: ignore[arg-type]
            batch_sampler=_Keys(self, start, stop),
            generator=torch.Generator().manual_seed(derive(self.seed, "loader")),
            **self._loader_arguments,
        )


class _Keys:
    """The keys of this process's micro-batches, made as the loader asks for them."""

    def __init__(self, loader: BatchLoader, start: int, stop: int) -> None:
        self.loader, self.span = loader, range(start, stop)

    def __iter__(self) -> Iterator[list[Key]]:
        return (keys for step in self.span for _, keys in self.loader._own(step))


def check_even(samples: int, micro_batches: int) -> None:
    """RSF-U005 where an epoch cannot be cut into as many micro-batches as every process needs."""
    if samples < micro_batches:
        raise RsforgeError(
            "RSF-U005",
            f"{samples} samples cannot be divided evenly into {micro_batches} batches",
            where="--processes, --grad-accum",
            fix="use fewer processes, a smaller --grad-accum, or more samples",
        )
