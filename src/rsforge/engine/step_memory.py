"""How much memory a training step takes, found by running it on tensors that have shapes and no values.

Activations, gradients, the optimizer's moments and what only lives inside an operation are all counted, and so is what
is computed again instead of kept.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from rsforge.engine.loader import MicroBatch
from rsforge.engine.train_step import TrainStep

LARGE = 1 << 25
"""Bytes from which glibc returns freed memory at once; of smaller pieces it keeps nearly all that ever lived."""

READS_VALUE = torch.ops.aten._local_scalar_dense.default
REORDERED = (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
"""Operations that bring inputs and outputs into an order of their own and back, on a CPU."""

MOST_VALUES = 1 << 20
RATE = 1e-4


def estimate_step(
    make_step: Callable[[], TrainStep],
    modules: Iterable[nn.Module],
    micros: Sequence[MicroBatch],
    device: torch.device,
    *,
    as_gpu: bool = False,
) -> int:
    """The bytes on ``device`` that one process needs for an optimizer step over ``micros``, weights of ``modules``
    included, what the program itself takes not.

    The batches of ``micros`` are those of :func:`without_values`. ``make_step`` is called once the modules have no
    values; they have them again afterwards. The step is one behind the first, which alone finds no moments of the
    optimizer. On a CPU the figure is that of Linux; with ``as_gpu`` it is counted there as a GPU would.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with StepMemory(device, as_gpu=as_gpu) as memory, _hide_values(list(modules), fake, device) as tensors:
        memory.count(tensors)
        step = make_step()
        _make_moments(step)
        given = [replace(micro, batch=_forget(micro.batch, fake)) for micro in micros]
        step(given, 0, RATE)
    peak: int = memory.peak
    return peak


def _make_moments(step: TrainStep) -> None:
    """What the optimizers remember from their first step on."""
    for optimizer in step.optimizers.values():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.empty_like(parameter)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


class StepMemory(TorchDispatchMode):
    """Counts the bytes of tensors on ``device`` while they live; ``peak`` is the most that a process held of them.

    On a CPU it is the sum of the most in large pieces and the most in small ones, which are kept when freed. Where
    a value decides on what is done next, it is 1 or True, since these tensors have none; where values decide on the
    shape of a result, all are different.
    """

    def __init__(self, device: torch.device, *, as_gpu: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device, self.cpu = device.type, device.type == "cpu" and not as_gpu
        self.peak: int = 0
        self.living: set[int] = set()
        self.now, self.most = [0, 0], [0, 0]

    def count(self, tensors: Iterable[Tensor]) -> None:
        """Count what no operation made."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if tensor.device.type == self.device and storage._cdata not in self.living:
                self.living.add(storage._cdata)
                self._add(storage.nbytes())
                weakref.finalize(storage, self._release, storage._cdata, storage.nbytes())

    def _release(self, key: int, size: int) -> None:
        self.living.discard(key)
        self.now[self._pool(size)] -= size

    def _add(self, size: int) -> None:
        self.now[self._pool(size)] += size
        self._reach([0, 0])

    def _reach(self, extra: Sequence[int]) -> None:
        """Take what lives now, and for a moment ``extra`` in both pools, into the peak."""
        self.most = [max(m, n + e) for m, n, e in zip(self.most, self.now, extra, strict=True)]
        self.peak = sum(self.most)

    def _pool(self, size: int) -> int:
        return int(self.cpu and size < LARGE)

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        if function is READS_VALUE and isinstance(given[0], FakeTensor):
            return torch.ones((), dtype=given[0].dtype).item()
        try:
            result = function(*given, **(named or {}))
        except DynamicOutputShapeException:
            result = _run_on_different(function, given, named or {})
        self.count(t for t in tree_leaves(result) if isinstance(t, Tensor))
        if self.cpu and function in REORDERED:
            copies = [t.numel() * t.element_size() for t in tree_leaves((given, result)) if isinstance(t, Tensor)]
            self._reach([sum(size for size in copies if self._pool(size) == pool) for pool in (0, 1)])
        return result


def _run_on_different(function: Any, given: Any, named: Mapping[str, Any]) -> Any:
    """The result of ``function``, again without values, where those it is given are 0, 1, 2 and so on."""
    fake = next(t.fake_mode for t in tree_leaves(given) if isinstance(t, FakeTensor))
    result = function(*tree_map_only(FakeTensor, _enumerate, given), **named)
    return tree_map_only(Tensor, fake.from_tensor, result)


def _enumerate(tensor: Tensor) -> Tensor:
    """``RuntimeError`` for more values than a table of labels or indices has."""
    if tensor.numel() > MOST_VALUES:
        raise RuntimeError(f"the shape of a result depends on {tensor.numel()} values")
    return torch.arange(tensor.numel()).view(tensor.shape).to(tensor.device, tensor.dtype)


def without_values(batch: Any, count: int) -> Any:
    """``batch`` of one sample as one of ``count``, its tensors on the meta device; lists are repeated."""
    if isinstance(batch, Tensor):
        return torch.empty((count, *batch.shape[1:]), dtype=batch.dtype, device="meta")
    if isinstance(batch, Mapping):
        return {name: without_values(value, count) for name, value in batch.items()}
    return batch * count if isinstance(batch, list) else batch


def _forget(batch: Any, fake: FakeTensorMode) -> Any:
    """Tensors of the meta device as tensors of the CPU that have no values."""
    if isinstance(batch, Tensor):
        with fake:
            return torch.empty(batch.shape, dtype=batch.dtype)
    return {name: _forget(value, fake) for name, value in batch.items()} if isinstance(batch, Mapping) else batch


@contextlib.contextmanager
def _hide_values(modules: Sequence[nn.Module], fake: FakeTensorMode, device: torch.device) -> Iterator[list[Tensor]]:
    """Inside the block ``modules`` have parameters and buffers without values on ``device``, which it is given."""
    parts = [part for module in modules for part in module.modules()]
    kept = [(part, dict(part._parameters), dict(part._buffers)) for part in parts]
    made: dict[int, Tensor] = {}
    for part in parts:
        places: tuple[dict[str, Any], ...] = (part._parameters, part._buffers)
        for tensors in places:
            for name, tensor in tensors.items():
                if tensor is not None and not isinstance(tensor, FakeTensor):
                    tensors[name] = made.setdefault(id(tensor), _hide(tensor, fake, device))
    try:
        yield list(made.values())
    finally:
        for part, parameters, buffers in kept:
            part._parameters, part._buffers = parameters, buffers


def _hide(tensor: Tensor, fake: FakeTensorMode, device: torch.device) -> Tensor:
    with fake:
        hidden = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    return nn.Parameter(hidden, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else hidden
