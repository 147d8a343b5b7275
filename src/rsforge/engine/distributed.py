"""Data parallelism: what several processes must agree on, and the null object for one process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rsforge.engine.rendezvous import meet
from rsforge.errors import RsforgeError
from rsforge.launch_variables import read_launch

T = TypeVar("T")
BUCKET_ELEMENTS = 1 << 23
PATIENCE = timedelta(hours=12)
"""How long the others wait for rank 0, which may read a whole data set meanwhile; the launcher ends them if it dies."""


class SingleProcess:
    """One process: everything is already agreed on."""

    rank = 0
    size = 1

    @property
    def writes(self) -> bool:
        """Only rank 0 writes."""
        return self.rank == 0

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None: ...

    def average_buffers(self, modules: Iterable[nn.Module]) -> None: ...

    def same_weights(self, modules: Iterable[nn.Module]) -> None: ...

    def any(self, *flags: bool) -> list[bool]:
        """Of each flag, whether any process raises it."""
        return list(flags)

    def sum(self, values: Tensor) -> Tensor:
        """The sum of ``values`` over the processes, on their device: nothing is waited for."""
        return values

    def gather(self, values: Tensor) -> Tensor:
        """The rows ``(B, ...)`` of all processes in the order of their ranks, differentiable; ``B`` may differ.

        Its gradient is that of the sum of the processes' losses. All processes must call it equally often.
        """
        return values

    def total(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Sum of each figure over the processes; all must bring the same names."""
        return dict(figures)

    def from_first(self, value: list[str]) -> list[str]:
        """The ``value`` that rank 0 has."""
        return value

    def make_once(self, make: Callable[[], T]) -> T:
        """What ``make`` returns on rank 0, where alone it is called; an ``RsforgeError`` of it is raised on all."""
        return make()

    def takes(self, slot: int) -> bool:
        """Whether the micro-batch of this slot is this process's."""
        return slot % self.size == self.rank

    def merge(self, state: Mapping[Any, Any]) -> dict[Any, Any]:
        """The entries of all processes, in the order of their names; of equal ones those of the first."""
        return dict(sorted(state.items(), key=str))

    def barrier(self) -> None: ...


class PlannedProcesses(SingleProcess):
    """One process that plans the run of ``size`` processes: it counts as they would and speaks to none."""

    def __init__(self, size: int) -> None:
        self.size = size


class ProcessGroup(SingleProcess):
    """One of several processes of a torch.distributed group.

    Gradients travel in flat buckets fixed by the order of the parameters: DistributedDataParallel rebuilds its
    buckets after the first step, so a resumed run of three or more processes would differ in the last bits.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size, self.device = dist.get_rank(), dist.get_world_size(), device

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by the sum over all processes; one that has none anywhere stays None."""
        present = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=self.device)
        dist.all_reduce(present, op=dist.ReduceOp.MAX)
        used = [p for p, has in zip(parameters, present.tolist(), strict=True) if has]
        for p in used:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        for bucket in _buckets([p.grad for p in used if p.grad is not None]):
            self._sum_in_place(bucket)

    def average_buffers(self, modules: Iterable[nn.Module]) -> None:
        """Running statistics become the mean over the processes; counters are equal already."""
        floats = [b for m in modules for b in m.buffers() if b.is_floating_point()]
        for bucket in _buckets(floats):
            self._sum_in_place(bucket)
            torch._foreach_div_(bucket, float(self.size))

    def same_weights(self, modules: Iterable[nn.Module]) -> None:
        for module in modules:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)

    def any(self, *flags: bool) -> list[bool]:
        raised = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def sum(self, values: Tensor) -> Tensor:
        totals = values.double()
        dist.all_reduce(totals)
        return totals

    def gather(self, values: Tensor) -> Tensor:
        rows: Tensor = _Gather.apply(values, self)  # type: ignore[no-untyped-call]
        return rows

    def total(self, figures: Mapping[str, float]) -> dict[str, float]:
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return dict(zip(figures, values.tolist(), strict=True))

    def from_first(self, value: list[str]) -> list[str]:
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def make_once(self, make: Callable[[], T]) -> T:
        box: list[Any] = [None]
        if self.writes:
            try:
                box = [make()]
            except RsforgeError as error:
                box = [error]
        dist.broadcast_object_list(box, src=0, device=self.device)
        if isinstance(box[0], RsforgeError):
            raise box[0]
        made: T = box[0]
        return made

    def merge(self, state: Mapping[Any, Any]) -> dict[Any, Any]:
        every: list[dict[Any, Any]] = [{} for _ in range(self.size)]
        dist.all_gather_object(every, state)
        return super().merge({name: value for part in reversed(every) for name, value in part.items()})

    def barrier(self) -> None:
        dist.barrier()

    def _sum_in_place(self, tensors: Sequence[Tensor]) -> None:
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


class _Gather(torch.autograd.Function):
    """Rows of all processes; backwards, each process gets what all of them would change of its rows."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: ProcessGroup) -> Tensor:
        counts = torch.zeros(group.size, dtype=torch.int64, device=values.device)
        counts[group.rank] = len(values)
        dist.all_reduce(counts)
        ctx.counts, ctx.rank = counts.tolist(), group.rank
        # Collectives want equal shapes: shorter shares are filled up, and cut again.
        padded = values.new_zeros((max(ctx.counts), *values.shape[1:]))
        padded[: len(values)] = values
        parts = [torch.empty_like(padded) for _ in range(group.size)]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, ctx.counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total.split(ctx.counts)[ctx.rank], None


def _buckets(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or sum(t.numel() for t in bucket) > BUCKET_ELEMENTS):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def local_device(device: torch.device) -> torch.device:
    """This process's own card when several share a machine."""
    launch = read_launch()
    if device.type != "cuda" or launch is None:
        return device
    own = torch.device("cuda", launch.local_rank % torch.cuda.device_count())
    torch.cuda.set_device(own)
    return own


def join(device: torch.device) -> SingleProcess:
    """This process's part among those that were launched with it; a single one where none were.

    RSF-E012 where the others do not come.
    """
    launch = read_launch()
    if launch is None or launch.size == 1:
        return SingleProcess()
    if not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        store = meet(launch)
        # Functions there have the group of the moment of import as a default: imported later, as torch does when it
        # first makes an optimizer, they would keep the group's threads beyond ``leave``, and those may abort the exit.
        import torch.distributed.nn.functional  # noqa: F401

        dist.init_process_group(backend, store=store, rank=launch.rank, world_size=launch.size, timeout=PATIENCE)
    return ProcessGroup(device)


def leave() -> None:
    """End this process's part in the group, if it has one."""
    if dist.is_initialized():
        dist.destroy_process_group()
