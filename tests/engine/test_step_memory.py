"""The memory of a step, against what torch allocates when it really takes the step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint

from rsforge.engine.ema import ExponentialMovingAverage, NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.step_memory import StepMemory, estimate_step, without_values
from rsforge.engine.task import Turn
from rsforge.engine.train_step import TrainStep

CPU, META = torch.device("cpu"), torch.device("meta")
WIDTH = 64


class Net(nn.Module):
    """Layers that keep activations of ``4 * WIDTH``, or compute them again."""

    def __init__(self, *, again: bool = False) -> None:
        super().__init__()
        blocks = [
            nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.LayerNorm(4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH))
            for _ in range(4)
        ]
        self.blocks, self.again = nn.ModuleList(blocks), again

    def forward(self, x):
        for block in self.blocks:
            x = x + (checkpoint(block, x, use_reentrant=False) if self.again else block(x))
        return x


class Task:
    def __init__(self, net: nn.Module, use: Callable | None = None) -> None:
        self.net = net
        self.use = use or (lambda net, batch: net(batch["x"]).square().mean())

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": list(self.net.parameters())}

    def step(self, batch, context):
        yield Turn("net", self.use(self.net, batch))


def make_step(task, *, average=False):
    return TrainStep(
        task,
        make_optimizer=lambda parameters: torch.optim.Adam(parameters, fused=True),
        average=ExponentialMovingAverage(task.modules(), decay=0.9) if average else NoEma(),
        device=CPU,
    )


def micros(rows, count=1):
    return [MicroBatch(without_values({"x": torch.rand(1, WIDTH)}, rows), 1 / count, slot, ()) for slot in range(count)]


def estimate(task, rows=512, count=1, **options):
    return estimate_step(lambda: make_step(task, **options), task.modules().values(), micros(rows, count), CPU)


def allocate(task, rows=512, count=1, **options):
    """The most bytes that torch held at once for two such steps, weights included."""
    weights = sum(p.nbytes for p in task.net.parameters())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        batches = [MicroBatch({"x": torch.rand(rows, WIDTH)}, 1 / count, k, ("a",)) for k in range(count)]
        step = make_step(task, **options)
        for number in range(2):  # the first one finds no moments of the optimizer
            step(batches, number, 1e-4)
    now = most = 0
    for event in sorted(record.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        now += event.nbytes() if event.name() == "[memory]" else 0
        most = max(most, now)
    return weights + most


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("count", "average"), [(1, False), (3, True)])
def test_it_is_what_torch_allocates(again, count, average):
    task = Task(Net(again=again))
    known = estimate(task, count=count, average=average)
    assert known == pytest.approx(allocate(task, count=count, average=average), rel=0.03)


def test_recomputation_micro_batches_and_averages_count():
    plain, again = (estimate(Task(Net(again=again))) for again in (False, True))
    assert again < 0.6 * plain
    two, three = (estimate(Task(Net()), count=count) for count in (2, 3))
    assert plain < two and three - two == pytest.approx(512 * WIDTH * 4, abs=100)
    task = Task(Net())
    weights = sum(p.nbytes for p in task.net.parameters())
    small = estimate(task, rows=1)
    assert small == pytest.approx(4 * weights, rel=0.05)  # with gradients and two moments
    assert estimate(task, rows=1, average=True) - small == pytest.approx(weights, rel=0.05)


def test_pieces_live_from_their_making_to_their_last_use():
    with StepMemory(META) as memory:
        x = torch.empty(1000, device="meta")
        y = x + 1
        del x
        z = y.view(10, 100).add_(1)
        z = z + y.view(10, 100)
    assert memory.peak == 2 * 4000 and memory.now == [8000, 0]
    del y, z
    assert memory.now == [0, 0]


def test_small_pieces_are_kept_on_a_cpu_and_large_ones_are_not():
    fake = FakeTensorMode()
    with StepMemory(CPU) as memory, fake:
        small = [torch.empty(1 << 20) for _ in range(3)]
        del small
        torch.empty(1 << 24)
        torch.empty(1 << 24)
    assert memory.peak == 3 * (4 << 20) + (64 << 20)


def test_a_convolution_reorders_on_a_cpu_alone():
    x, weight = torch.empty(1, 4, 10, 10, device="meta"), torch.empty(8, 4, 1, 1, device="meta")
    with StepMemory(META) as memory:
        torch.conv2d(x, weight)
    assert memory.peak == 8 * 100 * 4
    with StepMemory(CPU) as memory, FakeTensorMode():
        y = torch.conv2d(torch.empty(1, 4, 10, 10), torch.empty(8, 4, 1, 1))
    assert memory.peak == 2 * (4 * 100 + 32 + 8 * 100) * 4 and isinstance(y, FakeTensor)


def test_the_modules_have_their_values_again():
    task = Task(Net())
    task.net.blocks[0][0].weight = task.net.blocks[1][0].weight  # shared by two layers
    before = dict(task.net.named_parameters())
    estimate(task)
    after = dict(task.net.named_parameters())
    assert before.keys() == after.keys() and all(after[name] is before[name] for name in before)
    with pytest.raises(ZeroDivisionError):
        estimate(Task(task.net, lambda net, batch: 1 / 0))
    assert all(p is before[name] for name, p in task.net.named_parameters())


def test_values_that_decide_are_taken_for_some():
    def use(net, batch):
        loss = net(batch["x"]).square().mean()
        if not bool(loss.isfinite()):
            raise AssertionError("a value was taken for none")
        labels = (batch["x"][:, 0] > 0).long()
        distinct, own = labels.unique(return_inverse=True)
        assert len(distinct) == len(own) == 512 and loss.item() == 1.0
        return loss + torch.zeros(10)[distinct].sum()

    assert estimate(Task(Net(), use)) > 0
    with pytest.raises(RuntimeError, match="the shape of a result depends on 2097152 values"):
        estimate(Task(Net(), lambda net, batch: torch.cat([batch["x"]] * 64).unique().sum()))


def test_a_batch_without_values_has_the_shapes_of_many_samples():
    sample = {"x": torch.rand(1, 3, 2), "words": ["a"], "inner": {"k": torch.ones(1, dtype=torch.int32)}, "n": 2}
    batch = without_values(sample, 5)
    assert batch["x"].shape == (5, 3, 2) and batch["x"].is_meta
    assert batch["words"] == ["a"] * 5 and batch["n"] == 2
    assert batch["inner"]["k"].shape == (5,) and batch["inner"]["k"].dtype == torch.int32
