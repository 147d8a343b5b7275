from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from rsforge.engine.ema import NoEma
from rsforge.engine.loader import BatchLoader, MicroBatch
from rsforge.engine.precision import Precision
from rsforge.engine.task import StepContext, Turn
from rsforge.errors import RsforgeError
from tests.engine.toys import Gan, Masked, Points, Quiet, Regress, update


def drive(task, *, batch_size, accumulate=1, steps=6, count=64, lr=1e-2, **options):
    move = update(task, **options)
    feed = BatchLoader(Points(count), batch_size=batch_size, accumulate=accumulate, seed=2)
    return [move(micros, step, lr).read() for step, micros in enumerate(feed.steps(0, steps))]


def weights(task):
    return {k: v.clone() for name, m in task.modules().items() for k, v in m.state_dict(prefix=f"{name}.").items()}


def test_accumulation_equals_the_large_batch():
    whole, parts = Regress(), Regress()
    figures = drive(whole, batch_size=8)
    assert [f["loss"] for f in drive(parts, batch_size=4, accumulate=2)] == pytest.approx([f["loss"] for f in figures])
    torch.testing.assert_close(weights(whole), weights(parts))


def test_the_uneven_tail_of_an_epoch_counts_every_sample_once():
    """22 samples as 5 x 4 + 2 accumulated by 6 are one batch of 22: the short micro-batch has its own weight."""
    whole, parts = Regress(), Regress()
    drive(whole, batch_size=22, count=22, steps=3)
    drive(parts, batch_size=4, accumulate=6, count=22, steps=3)
    torch.testing.assert_close(weights(whole), weights(parts))


def test_what_counts_weighs_the_same_in_every_micro_batch():
    """A mean over the valid rows of each micro-batch would weigh a row by how few there are beside it."""
    whole, parts = Masked(), Masked()
    figures = drive(whole, batch_size=22, count=22, steps=4)
    again = drive(parts, batch_size=3, accumulate=8, count=22, steps=4)
    torch.testing.assert_close(weights(whole), weights(parts))
    for name in ("loss", "square"):
        assert [row[name] for row in again] == pytest.approx([row[name] for row in figures], rel=1e-5)


def test_an_incomplete_accumulation_is_stepped_and_does_not_leak():
    """22 samples by 4, accumulated by 4: steps of 16 and of 6 samples, the same as a hand-written loop."""
    task, hand = Regress(), Regress()
    drive(task, batch_size=4, accumulate=4, count=22, steps=4, average=NoEma())
    feed, optimizer = (
        BatchLoader(Points(22), batch_size=4, accumulate=4, seed=2),
        torch.optim.AdamW(hand.net.parameters(), 1e-2),
    )
    for micros in feed.steps(0, 4):
        batch = {"x": torch.cat([m.batch["x"] for m in micros])}
        optimizer.zero_grad()
        next(hand.step(batch, StepContext())).loss.backward()
        optimizer.step()
    torch.testing.assert_close(weights(task), weights(hand))


def test_turns_are_isolated():
    log = []
    drive(Gan(log), batch_size=8, accumulate=2, steps=3)
    assert log and all(untouched for untouched, _ in log[::2]) and all(moved for _, moved in log)


class Drawing(Quiet):
    """Notes what each turn draws first, where it stands, and which group has gradients in it."""

    def __init__(self):
        self.nets = nn.ModuleDict({"first": nn.Linear(4, 1), "second": nn.Linear(4, 1)})
        self.drawn, self.trained, self.epochs = {}, set(), []

    def modules(self):
        return dict(self.nets)

    def groups(self):
        return {name: net.parameters() for name, net in self.nets.items()}

    def step(self, batch, context):
        self.epochs.append(context.epoch)
        for name, net in self.nets.items():
            self.drawn[context.step, context.slot, name] = float(torch.rand(()))
            self.trained.add((name, *(other for other, n in self.nets.items() if n.weight.requires_grad)))
            yield Turn(name, net(batch["x"]).square().mean())


def test_noise_is_a_function_of_seed_step_slot_and_turn():
    def draw(seed):
        task = Drawing()
        drive(task, batch_size=8, accumulate=2, steps=3, seed=seed)
        return task.drawn

    drawn = draw(1)
    assert len(drawn) == len(set(drawn.values())) == 3 * 2 * 2
    assert draw(1) == drawn and not set(draw(2).values()) & set(drawn.values())


def test_in_its_turn_a_group_alone_has_gradients_and_the_epoch_is_told():
    task = Drawing()
    move = update(task)
    move([MicroBatch({"x": torch.ones(2, 4)}, 1.0, 0, ())], 12, 1e-2, epoch=3)
    assert task.trained == {("first", "first"), ("second", "second")} and task.epochs == [3]


class CycleGan(Quiet):
    def __init__(self):
        torch.manual_seed(0)
        self.nets = nn.ModuleDict({k: nn.Linear(2, o) for k, o in {"ab": 2, "ba": 2, "a": 1, "b": 1}.items()})

    def modules(self):
        return dict(self.nets)

    def groups(self):
        pair = lambda *names: [p for n in names for p in self.nets[n].parameters()]  # noqa: E731
        return {"generators": pair("ab", "ba"), "critics": pair("a", "b")}

    def step(self, batch, context):
        n, (a, b) = self.nets, batch["x"].split(2, dim=1)
        fool = lambda d, x: (d(x) - 1).square().mean()  # noqa: E731
        fake_b, fake_a = n["ab"](a), n["ba"](b)
        cycle = (n["ba"](fake_b) - a).abs().mean() + (n["ab"](fake_a) - b).abs().mean()
        yield Turn("generators", fool(n["b"], fake_b) + fool(n["a"], fake_a) + 10 * cycle, {"cycle": cycle})
        judge = lambda d, real, fake: fool(d, real) + d(fake.detach()).square().mean()  # noqa: E731
        yield Turn("critics", judge(n["b"], b, fake_b) + judge(n["a"], a, fake_a))


def test_two_turns_equal_the_handwritten_loop():
    task, hand = CycleGan(), CycleGan()
    drive(task, batch_size=8, average=NoEma())
    groups = {k: torch.optim.AdamW(list(v), lr=1e-2) for k, v in hand.groups().items()}
    for micros in BatchLoader(Points(64), batch_size=8, seed=2).steps(0, 6):
        story = hand.step(micros[0].batch, StepContext())
        for optimizer in groups.values():
            optimizer.zero_grad()
            next(story).loss.backward()
            optimizer.step()
    torch.testing.assert_close(weights(task), weights(hand))


class Misnamed(Regress):
    def groups(self):
        return {"other": self.net.parameters()}


class Silent(Regress):
    def step(self, batch, context):
        return
        yield


class Greedy(Regress):
    def step(self, batch, context):
        yield from super().step(batch, context)
        yield from super().step(batch, context)


@pytest.mark.parametrize("task", [Misnamed, Silent])
def test_a_wrong_or_missing_turn_is_an_error(task):
    with pytest.raises(RuntimeError, match="expected the turn"):
        drive(task(), batch_size=8)


def test_an_extra_turn_is_an_error():
    with pytest.raises(RuntimeError, match="too many"):
        drive(Greedy(), batch_size=8)


class Clamped(Regress):
    def step(self, batch, context):
        yield from super().step(batch, context)
        self.net.weight.clamp_(max=0.1)


def test_code_after_the_last_turn_runs_once_the_optimizer_moved():
    task = Clamped()
    drive(task, batch_size=8)
    assert task.net.weight.max() <= 0.1


class Frozen(Regress):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 4).requires_grad_(False)

    def step(self, batch, context):
        yield Turn("net", (self.net(self.encoder(batch["x"])) - 1).square().mean())


def test_what_is_in_no_group_stays_frozen():
    task = Frozen()
    before = task.encoder.weight.clone()
    drive(task, batch_size=8)
    assert not task.encoder.weight.requires_grad and torch.equal(task.encoder.weight, before)


def test_autocast_learns_nearly_the_same():
    exact, cast = Gan(), Gan()
    drive(exact, batch_size=8, max_norm=1.0)
    drive(cast, batch_size=8, max_norm=1.0, precision=Precision(torch.bfloat16))
    torch.testing.assert_close(weights(exact), weights(cast), atol=2e-2, rtol=2e-2)


class Loud(Gan):
    """Its loss overflows half precision under the first gradient scales."""

    def step(self, batch, context):
        for turn in super().step(batch, context):
            yield Turn(turn.group, turn.loss * 100)


def test_one_gradient_scale_serves_two_optimizers_and_an_overflow_is_no_step():
    task = Loud()
    move = update(task, precision=Precision(torch.float16))
    for step, micros in enumerate(BatchLoader(Points(64), batch_size=8, seed=2).steps(0, 16)):
        move(micros, step, 1e-2)
    halved = math.log2(65536 / move.scaler.get_scale())
    assert 0 < halved < 16 and move.average.updates == 16 - halved
    assert all(v.isfinite().all() for v in weights(task).values())


class Poisoned(Regress):
    """Its loss is not finite at the third step."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def step(self, batch, context):
        self.calls += 1
        bad = math.inf if self.calls == 3 else 1.0
        yield Turn("net", (self.net(batch["x"]) - 1).square().mean() * bad)


def test_a_loss_that_is_not_finite_stops_and_names_the_batch():
    task = Poisoned()
    with pytest.raises(RsforgeError, match="not finite at step 3") as caught:
        drive(task, batch_size=4)
    assert caught.value.code == "RSF-T001" and caught.value.where.count("point ") == 4
    assert all(v.isfinite().all() for v in weights(task).values())


def test_skipping_leaves_out_exactly_the_poisoned_step_average_included():
    task = Poisoned()
    move = update(task, skip_nonfinite=True)
    feed, seen = BatchLoader(Points(64), batch_size=4, seed=2), []
    for step, micros in enumerate(feed.steps(0, 5)):
        move(micros, step, 1e-2)
        seen.append((weights(task), move.average.updates))
    same = [all(torch.equal(a[k], b[k]) for k in a) for (a, _), (b, _) in itertools.pairwise(seen)]
    assert same == [False, True, False, False] and [n for _, n in seen] == [1, 2, 2, 3, 4]


class Hopeless(Regress):
    def step(self, batch, context):
        yield Turn("net", self.net(batch["x"]).mean() * math.inf)


class Infinite(torch.autograd.Function):
    """A finite value with a gradient that is not."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * math.inf


class Overflowing(Regress):
    def step(self, batch, context):
        yield Turn("net", Infinite.apply(self.net(batch["x"])).float().mean())


class Stumbling(Regress):
    """Every second step is not finite."""

    def step(self, batch, context):
        yield Turn("net", self.net(batch["x"]).mean() * (math.inf if context.step % 2 else 1.0))


def test_steps_that_are_skipped_count_only_in_a_row():
    assert len(drive(Stumbling(), batch_size=4, steps=9, skip_nonfinite=True, patience=2)) == 9


def test_skipping_has_an_end():
    with pytest.raises(RsforgeError) as caught:
        drive(Hopeless(), batch_size=4, steps=9, skip_nonfinite=True, patience=5)
    assert caught.value.code == "RSF-T001"


def test_a_collapsing_gradient_scale_is_an_error_not_a_silent_standstill():
    with pytest.raises(RsforgeError) as caught:
        drive(Overflowing(), batch_size=64, steps=40, precision=Precision(torch.float16))
    assert caught.value.code == "RSF-T002"


@pytest.mark.parametrize("precision", [None, Precision(torch.float16)], ids=["fp32", "fp16"])
def test_clipping_makes_a_step_as_long_as_the_norm_and_zero_does_not(precision):
    for max_norm in (0.5, 0.0):
        task, length, step = Regress(), 0.0, 0
        before = nn.utils.parameters_to_vector(task.net.parameters()).detach()
        move = update(task, make_optimizer=lambda p: torch.optim.SGD(p, lr=1.0), max_norm=max_norm, precision=precision)
        while not length:  # the first gradient scales overflow
            move([MicroBatch({"x": Points(8).x}, 1.0, 0, ())], step, 1.0)
            length = float((nn.utils.parameters_to_vector(task.net.parameters()).detach() - before).norm())
            step += 1
        assert length == pytest.approx(0.5, rel=1e-3) if max_norm else length > 1


class Normalised(Quiet):
    """Batch statistics, and a batch that is not finite at the third step."""

    def __init__(self):
        torch.manual_seed(1)
        self.net, self.calls = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1)), 0

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": self.net.parameters()}

    def step(self, batch, context):
        self.calls += 1
        yield Turn("net", self.net(batch["x"] * (math.nan if self.calls == 3 else 1.0)).square().mean())


def test_skipping_gives_back_the_running_statistics_too():
    task = Normalised()
    drive(task, batch_size=8, steps=5, skip_nonfinite=True)
    assert all(v.isfinite().all() for v in weights(task).values())
    assert int(task.net[0].num_batches_tracked) == 4


def test_half_precision_forgives_gradients_but_not_a_loss_that_is_not_finite():
    task = Poisoned()
    with pytest.raises(RsforgeError) as caught:
        drive(task, batch_size=4, precision=Precision(torch.float16))
    assert caught.value.code == "RSF-T001" and "point " in caught.value.where


class Both(Gan):
    def groups(self):
        return {"both": [*self.g.parameters(), *self.d.parameters()]}

    def step(self, batch, context):
        yield Turn("both", (self.d(self.g(batch["x"][:, :3])) - 1).square().mean())


@pytest.mark.parametrize(
    ("task", "rates"), [(Gan(), {"lr_scale": {"critic": 0.25}}), (Both(), {"lr_factors": {"d": 0.25}})]
)
def test_groups_and_modules_of_one_group_move_at_their_own_pace(task, rates):
    """The first step of Adam is as long as its rate, and a step of rate 0 moves nothing."""
    before = {name: module.weight.detach().clone() for name, module in task.modules().items()}
    move = update(task, make_optimizer=lambda p: torch.optim.Adam(p, lr=1.0, eps=1e-12), **rates)
    for step, rate in enumerate((1e-2, 0.0)):
        move([MicroBatch({"x": torch.randn(8, 4)}, 1.0, 0, ())], step, rate)
    moved = {
        name: float((module.weight.detach() - before[name]).abs().max()) for name, module in task.modules().items()
    }
    assert moved == pytest.approx({"g": 1e-2, "d": 2.5e-3}, rel=1e-4)


class Changing(Regress):
    """Reports another figure from its second step on."""

    def step(self, batch, context):
        name = "early" if context.step == 0 else "late"
        yield Turn("net", self.error(batch["x"]), {name: torch.ones(())})


def test_a_task_that_reports_other_figures_than_before_is_an_error():
    with pytest.raises(RuntimeError, match="late"):
        drive(Changing(), batch_size=8)


def test_without_a_look_ahead_the_error_comes_with_the_figures_and_names_step_and_samples():
    """On a device with a queue the optimizer moves first; what the host reads later still says what was wrong."""
    task = Poisoned()
    move = update(task)
    move.checks_first = False
    steps = [
        move(micros, step, 1e-2)
        for step, micros in enumerate(BatchLoader(Points(64), batch_size=4, seed=2).steps(0, 5))
    ]
    assert [set(steps[n].read()) for n in (0, 1)] == [{"loss"}, {"loss"}]
    with pytest.raises(RsforgeError, match="not finite at step 3") as caught:
        steps[2].read()
    assert caught.value.code == "RSF-T001" and caught.value.where.count("point ") == 4
