"""Tiny tasks with every kind of state that a real one has."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from rsforge.engine.checkpoint_writer import CheckpointNames, CheckpointWriter
from rsforge.engine.early_stopping import Best, Stopping
from rsforge.engine.ema import ExponentialMovingAverage
from rsforge.engine.journal import Journal
from rsforge.engine.loader import BatchLoader
from rsforge.engine.lr_schedules import Plateau
from rsforge.engine.task import Turn
from rsforge.engine.train_step import TrainStep
from rsforge.engine.trainer import Trainer
from rsforge.engine.validation import Validation
from rsforge.seeds import derive

CPU = torch.device("cpu")
NAMES = CheckpointNames("checkpoint_{:04d}.pt")


class Points:
    """Rows of a fixed table with fresh noise that is a function of (epoch, index)."""

    def __init__(self, count: int, noise: float = 0.0) -> None:
        self.x = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
        self.noise = noise

    def __len__(self):
        return len(self.x)

    def name(self, index):
        return f"point {index}"

    def __getitem__(self, key):
        fresh = torch.randn(4, generator=torch.Generator().manual_seed(derive("noise", *key)))
        return self.x[key[1]] + self.noise * fresh


class Quiet:
    """The parts of the protocol that most toys do not need."""

    def open_epoch(self, epoch):
        self.epoch = epoch

    def evaluate(self, batch):
        return {"square": batch.square().mean()}


class Regress(Quiet):
    def __init__(self):
        torch.manual_seed(1)
        self.net = nn.Linear(4, 1)

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": self.net.parameters()}

    def step(self, batch, slot):
        yield Turn("net", (self.net(batch) - batch.sum(1, keepdim=True)).square().mean())

    def evaluate(self, batch):
        return {"error": (self.net(batch) - batch.sum(1, keepdim=True)).square().mean()}


class Gan(Quiet):
    def __init__(self, log=None):
        torch.manual_seed(1)
        self.g, self.d = nn.Linear(3, 4), nn.Linear(4, 1)
        self.log = log if log is not None else []

    def modules(self):
        return {"g": self.g, "d": self.d}

    def groups(self):
        return {"generator": self.g.parameters(), "critic": self.d.parameters()}

    def step(self, batch, slot):
        fake = self.g(torch.randn(len(batch), 3))
        before = self.g.weight.detach().clone()
        yield Turn("generator", (self.d(fake) - 1).square().mean())
        self.log.append((self.d.weight.grad is None, bool((self.g.weight != before).any())))
        monitored_value = (self.d(batch) - 1).square().mean() + self.d(fake.detach()).square().mean()
        yield Turn("critic", monitored_value / 2)


class Noisy(Quiet):
    """Dropout, batch statistics and noise: whatever randomness or buffer is not restored shows in the weights."""

    def __init__(self):
        torch.manual_seed(3)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Dropout(0.2), nn.Linear(8, 4))

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": self.net.parameters()}

    def step(self, batch, slot):
        eps = torch.randn_like(batch)
        loss = (self.net(batch + 0.3 * eps) - eps).square().mean() * (1 + self.epoch)
        yield Turn("net", loss, {"size": loss.detach().sqrt()})

    def evaluate(self, batch):
        eps = torch.randn_like(batch)
        return {"error": (self.net(batch + 0.3 * eps) - eps).square().mean()}


class Steady(Noisy):
    """The same without batch statistics, which several processes cannot share exactly."""

    def __init__(self):
        super().__init__()
        self.net[1] = nn.LayerNorm(8)


class Remembering(Regress):
    """What it learns depends on what it saw before in the same place of the step."""

    def __init__(self):
        super().__init__()
        self.memory = Memory()

    def step(self, batch, slot):
        before = self.memory.seen.get(slot, torch.zeros(4))
        self.memory.seen[slot] = batch.mean(0) + 0.5 * before
        yield Turn("net", (self.net(batch + before) - batch.sum(1, keepdim=True)).square().mean())


class Memory:
    def __init__(self):
        self.seen = {}

    def state_dict(self):
        return dict(self.seen)

    def load_state_dict(self, state):
        self.seen = dict(state)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-2)


def update(task, **options):
    options = {
        "make_optimizer": adamw,
        "device": CPU,
        "average": ExponentialMovingAverage(task.modules(), decay=0.9),
    } | options
    return TrainStep(task, **options)


def trainer(folder: Path, *, task=None, epochs=4, workers=0, accumulate=2, world=None, **options) -> Trainer:
    """A run with workers, EMA, accumulation over an uneven tail, plateau, best and periodic checkpoints."""
    task = task or Noisy()
    feed = BatchLoader(Points(22, 0.1), batch_size=4, accumulate=accumulate, seed=5, workers=workers, world=world)
    held_out = BatchLoader(Points(6), batch_size=4, shuffle=False, world=world)
    made = Trainer(
        update(task, max_norm=1.0, world=world),
        feed,
        epochs=epochs,
        rate=Plateau(lambda step: 1e-2 / (1 + step / 10), floor=1e-5, patience=0),
        validation=Validation(task, held_out, device=CPU, world=world),
        checkpoint_writer=options.pop("keeper", None)
        or CheckpointWriter(folder, NAMES, identity={"kind": "toy"}, every=2),
        journal=Journal(folder / "journal.jsonl"),
        best=Best(from_epoch=1),
        stopping=Stopping(patience=0, delta=0, window=0, threshold=0),
        monitor="val/error",
        **options,
    )
    if isinstance(task, Remembering):
        made.register("memory", task.memory)
    return made
