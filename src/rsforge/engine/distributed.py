"""Data parallelism: what several processes must agree on, and the null object for one process alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

BUCKET_ELEMENTS = 1 << 23


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

    def any(self, flag: bool) -> bool:
        return flag

    def total(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Sum of each figure over the processes; all must bring the same names."""
        return dict(figures)

    def from_first(self, value: list[str]) -> list[str]:
        """The ``value`` that rank 0 has."""
        return value

    def takes(self, slot: int) -> bool:
        """Whether the micro-batch of this place is this process's."""
        return slot % self.size == self.rank

    def merged(self, state: Mapping[Any, Any]) -> dict[Any, Any]:
        """The entries of all processes, in the order of their names; of equal ones those of the first."""
        return dict(sorted(state.items(), key=str))

    def barrier(self) -> None: ...


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

    def any(self, flag: bool) -> bool:
        return self.total({"flag": float(flag)})["flag"] > 0

    def total(self, figures: Mapping[str, float]) -> dict[str, float]:
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return dict(zip(figures, values.tolist(), strict=True))

    def from_first(self, value: list[str]) -> list[str]:
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def merged(self, state: Mapping[Any, Any]) -> dict[Any, Any]:
        every: list[dict[Any, Any]] = [{} for _ in range(self.size)]
        dist.all_gather_object(every, state)
        return super().merged({name: value for part in reversed(every) for name, value in part.items()})

    def barrier(self) -> None:
        dist.barrier()

    def _sum_in_place(self, tensors: Sequence[Tensor]) -> None:
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


def _buckets(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or sum(t.numel() for t in bucket) > BUCKET_ELEMENTS):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def launched() -> bool:
    """Whether torchrun started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def local_device(device: torch.device) -> torch.device:
    """This process's own card when several share a machine."""
    if device.type != "cuda" or not launched():
        return device
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    torch.cuda.set_device(own)
    return own


def join(device: torch.device) -> SingleProcess:
    """This process's place among those torchrun started; alone when it started none."""
    if not launched() or int(os.environ["WORLD_SIZE"]) == 1:
        return SingleProcess()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return ProcessGroup(device)


def leave() -> None:
    """End this process's part in the group, if it has one."""
    if dist.is_initialized():
        dist.destroy_process_group()
