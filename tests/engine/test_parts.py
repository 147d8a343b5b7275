"""Rates, averages, stopping, precision, journal, retention."""

from __future__ import annotations

import math
import re
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LinearLR,
    ReduceLROnPlateau,
)
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rsforge import durable
from rsforge.engine import checkpoint, lr_schedules, precision
from rsforge.engine.cadence import Moment
from rsforge.engine.checkpoint_writer import CheckpointNames, CheckpointWriter
from rsforge.engine.early_stopping import Best, Stopping, monitored_value
from rsforge.engine.ema import ExponentialMovingAverage, averaged_weights
from rsforge.engine.journal import Journal, read

PEAK, FLOOR = 1e-3, 1e-5


def reference(make, steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler, seen = make(optimizer), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (partial(lr_schedules.cosine, peak=PEAK, floor=FLOOR, total=100), lambda o: CosineAnnealingLR(o, 100, FLOOR)),
        (
            partial(lr_schedules.warm_restarts, peak=PEAK, floor=FLOOR, first=10),
            lambda o: CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2, eta_min=FLOOR),
        ),
        (
            partial(lr_schedules.linear, peak=PEAK, floor=FLOOR, total=100),
            lambda o: LinearLR(o, 1.0, FLOOR / PEAK, 100),
        ),
    ],
)
def test_rates_equal_torch_schedulers(ours, theirs):
    assert [ours(s) for s in range(100)] == pytest.approx(reference(theirs, 100), rel=1e-6)


def test_warm_up_reaches_the_peak_and_then_gives_way():
    rate = partial(lr_schedules.warmed_up, rate=partial(lr_schedules.constant, peak=PEAK), warmup=10)
    assert rate(0) == pytest.approx(PEAK / 10) and rate(9) == rate(99) == PEAK


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60))
def test_plateau_equals_torch(figures):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PEAK)
    theirs = ReduceLROnPlateau(optimizer, factor=0.5, patience=3, min_lr=FLOOR, eps=0)
    ours = lr_schedules.Plateau(partial(lr_schedules.constant, peak=PEAK), floor=FLOOR, patience=3)
    for figure in figures:
        theirs.step(figure)
        ours.observe(figure)
        assert ours.at(0) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_average_equals_torch_once_warmed_up():
    torch.manual_seed(0)
    net = nn.Linear(3, 3)
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.7))
    theirs.update_parameters(net)
    ours = ExponentialMovingAverage({"net": net}, decay=0.7)
    ours.updates = 1000
    for _ in range(5):
        with torch.no_grad():
            net.weight.add_(torch.randn(3, 3))
        ours.update()
        theirs.update_parameters(net)
    torch.testing.assert_close(ours.shadow["net.weight"], theirs.module.weight.detach())
    torch.testing.assert_close(averaged_weights(ours.state_dict(), "net")["weight"], theirs.module.weight.detach())


def test_the_decay_is_warmed_up():
    average = ExponentialMovingAverage({"net": nn.Linear(1, 1)}, decay=0.995)
    assert average.decay_now() == pytest.approx(0.1)
    average.updates = 10_000
    assert average.decay_now() == 0.995


def test_applied_lends_the_average_and_gives_the_weights_back():
    net = nn.Linear(2, 2)
    average = ExponentialMovingAverage({"net": net}, decay=0.9)
    trained = net.weight.detach().clone() + 1
    net.weight.data.copy_(trained)
    with average.averaged_weights():
        assert not torch.equal(net.weight, trained)
    assert torch.equal(net.weight, trained)


def test_best_starts_afresh_when_the_objective_is_final():
    best = Best()
    figures = [0.1, 0.2, 5.0, 6.0, 4.0]
    better = [best.update_best(figure, epoch, comparable=epoch >= 2) for epoch, figure in enumerate(figures)]
    assert better == [True, True, True, False, True] and (best.figure, best.epoch) == (4.0, 4)


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_never_the_best_nor_flat(figure):
    best, rate = Best(), lr_schedules.Plateau(lambda step: 1.0, floor=0.0, patience=9)
    assert not best.update_best(figure, 0, comparable=False) and not best.update_best(figure, 0)
    assert best.update_best(5.0, 1)
    rate.observe(figure)
    rate.observe(5.0)
    assert (rate.best, rate.waited) == (5.0, 0)
    assert run_stopping([1.0, 1.0, figure], window=2, threshold=0.1)[0] == 1
    assert run_stopping([1.0, figure], window=2, threshold=0.1) == (None, "")
    assert run_stopping([figure, 1.0, 0.9, 0.8], patience=2) == (None, "")


def run_stopping(figures, **options):
    rule = Stopping(**{"patience": 0, "delta": 0.0, "window": 10, "threshold": 0.0} | options)
    return next(((i, r) for i, f in enumerate(figures) if (r := rule.reason(f))), (None, ""))


def test_patience_counts_epochs_without_enough_improvement():
    assert run_stopping([1.0] + [0.995] * 9, patience=3, delta=0.01)[0] == 3
    assert run_stopping([1.0 - 0.1 * i for i in range(10)], patience=3, delta=0.01) == (None, "")


def test_flat_is_called_flat_and_oscillation_does_not_stop():
    decaying = [math.exp(-i / 10) for i in range(200)]
    epoch, reason = run_stopping(decaying, threshold=5e-4)
    assert epoch is not None and reason.startswith("flat") and "oscill" not in reason
    swinging = [1.0 + 0.1 * (-1) ** i for i in range(200)]
    assert run_stopping(swinging, threshold=5e-4) == (None, "")


def test_rules_survive_a_save():
    a = Stopping(patience=3, delta=0.0, window=4, threshold=1e-3)
    for figure in (1.0, 0.9, 0.95):
        a.reason(figure)
    b = Stopping(patience=3, delta=0.0, window=4, threshold=1e-3)
    b.load_state_dict(a.state_dict())
    assert [a.reason(f) for f in (0.96, 0.97)] == [b.reason(f) for f in (0.96, 0.97)]


def test_a_processor_without_the_hardware_gets_fp32_and_one_line(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    for wanted in ("bf16", "fp16"):
        chosen = precision.choose(wanted, cpu)
        assert chosen.dtype is None and wanted in chosen.note and "\n" not in chosen.note
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert precision.choose("bf16", cpu).dtype is torch.bfloat16
    assert precision.choose("auto", cpu) == precision.choose("no", cpu) == precision.Precision()
    chosen = precision.choose("fp16", cpu)
    assert chosen.dtype is torch.bfloat16 and "no fp16" in chosen.note and "bf16" in chosen.note
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True, "amx_fp16": True})
    assert precision.choose("fp16", cpu) == precision.Precision(torch.float16)


def test_the_journal_drops_torn_and_later_lines(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.open_at(0)
    for step in range(3):
        journal.write({"step": step})
    with journal.path.open("a") as file:
        file.write('{"step": 9, "lo')
    again = Journal(journal.path)
    again.open_at(2)
    again.write({"step": 2})
    assert [row["step"] for row in read(journal.path)] == [0, 1, 2]


@pytest.mark.parametrize("form", ["checkpoint_{:04d}.pt", "checkpoint_epoch_{}.pt"])
def test_periodic_names_are_recognised(form):
    match = re.fullmatch(CheckpointNames(form).pattern(), form.format(20))
    assert match and int(match[1]) == 20


def test_a_later_rate_stays_and_then_falls():
    falling = partial(lr_schedules.linear, peak=1.0, floor=0.0, total=10)
    curve = [lr_schedules.later(step, rate=falling, start=5) for step in range(20)]
    assert curve[:6] == [1.0] * 6 and curve[10] == pytest.approx(0.5) and curve[15:] == [0.0] * 5


def test_low_or_high_figures_are_good_as_the_monitor_says():
    figures = {"val/l1": 0.2, "val/psnr_db": 20.0}
    assert (monitored_value(figures, "val/l1"), monitored_value(figures, "-val/psnr_db")) == (0.2, -20.0)
    assert monitored_value({"lr": 1.0}, "val/ssim") == monitored_value({"lr": 1.0}, "-val/ssim") == math.inf
    with pytest.raises(KeyError, match="val/ssim is none of val/l1, val/psnr_db"):
        monitored_value(figures, "-val/ssim")
    best = Best()
    assert [best.update_best(monitored_value({"p": p}, "-p"), e) for e, p in enumerate([10, 12, 11])] == [
        True,
        True,
        False,
    ]


BARE = CheckpointNames("checkpoint_{:04d}.pt", weights_only=("a", "b"))


def state_of(epoch, ema=None):
    nets = {name: {"w": torch.full((2,), epoch * 1.0 + k)} for k, name in enumerate(("a", "b"))}
    return {"nets": nets, "parts": {"ema": ema or {}}, "progress": {"step": epoch}}


def weight(path):
    return torch.load(path, weights_only=True)["w"].tolist()


def test_bare_weights_are_those_of_the_best_epoch_and_of_every_periodic_one(tmp_path):
    writer = CheckpointWriter(tmp_path, BARE, identity={"kind": "toy"}, keep=1)
    for epoch in range(1, 6):
        kept = Moment(epoch) if epoch % 2 == 0 else None
        writer.commit_closed(lambda epoch=epoch: state_of(epoch), kept=kept, best=epoch in (1, 3))
    assert (weight(tmp_path / "a.pth"), weight(tmp_path / "b.pth")) == ([3, 3], [4, 4])
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["a_epoch_4.pth", "b_epoch_4.pth"]
    assert weight(tmp_path / "checkpoints" / "a_epoch_4.pth") == [4, 4]


def test_bare_weights_are_averaged_where_there_is_an_average(tmp_path):
    net = nn.Linear(2, 1)
    average = ExponentialMovingAverage({"a": net, "b": nn.Linear(1, 1)}, decay=0.5)
    with torch.no_grad():
        net.weight.add_(1)
    average.update()
    nets = {"a": net.state_dict(), "b": nn.Linear(1, 1).state_dict()}
    checkpoint_writer = CheckpointWriter(tmp_path, BARE, identity={"kind": "toy"})
    checkpoint_writer.commit_closed(lambda: {"nets": nets, "parts": {"ema": average.state_dict()}}, best=True)
    with average.averaged_weights():
        wanted = net.weight.clone()
    assert not torch.equal(wanted, net.weight)
    torch.testing.assert_close(torch.load(tmp_path / "a.pth", weights_only=True)["weight"], wanted.detach())


def test_a_run_killed_before_its_checkpoint_writes_its_bare_weights_again(tmp_path, monkeypatch):
    """Bare weights come first: a checkpoint that is there never lacks them."""
    writer, order = CheckpointWriter(tmp_path, BARE, identity={"kind": "toy"}), []
    monkeypatch.setattr(checkpoint, "save", lambda path, state: (order.append(path.name), path.touch()))
    replacing = durable.open_atomic
    monkeypatch.setattr(durable, "open_atomic", lambda path: (order.append(path.name), replacing(path))[1])
    writer.commit_closed(lambda: state_of(1), kept=Moment(1), best=True)
    assert order == ["a_epoch_1.pth", "b_epoch_1.pth", "best_model.pt"]
    assert (tmp_path / "a.pth").samefile(tmp_path / "checkpoints" / "a_epoch_1.pth")
