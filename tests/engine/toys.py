"""Tiny tasks with every kind of state that a real one has."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from rsforge.engine.accumulator import MeanOverSamples
from rsforge.engine.cadence import Cadence, Cadences
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
    """Rows of a fixed table with fresh noise that is a function of (epoch, index), each with a label and a record."""

    def __init__(self, count: int, noise: float = 0.0) -> None:
        self.x = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
        self.noise = noise

    def __len__(self):
        return len(self.x)

    def name(self, index):
        return f"point {index}"

    def __getitem__(self, key):
        fresh = torch.randn(4, generator=torch.Generator().manual_seed(derive("noise", *key)))
        return {"x": self.x[key[1]] + self.noise * fresh, "label": self.name(key[1]), "record": {"season": None}}


class Quiet:
    """The parts of the protocol that most toys do not need."""

    def evaluate(self, batch):
        return {"square": batch["x"].square().mean()}

    def validation(self):
        return MeanOverSamples(self.evaluate)


class Regress(Quiet):
    def __init__(self):
        torch.manual_seed(1)
        self.net = nn.Linear(4, 1)

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": self.net.parameters()}

    def error(self, x):
        return (self.net(x) - x.sum(1, keepdim=True)).square().mean()

    def step(self, batch, context):
        yield Turn("net", self.error(batch["x"]))

    def evaluate(self, batch):
        return {"error": self.error(batch["x"])}


class Masked(Regress):
    """Of some batches most rows do not count, of some none."""

    def step(self, batch, context):
        x = batch["x"]
        valid = (x[:, :1] > 0.3).float()
        errors = (self.net(x) - x.sum(1, keepdim=True)).square() * valid
        loss = errors.sum() / valid.sum().clamp(min=1)
        yield Turn("net", loss, {"square": loss.detach()}, valid.mean())


class Gan(Quiet):
    def __init__(self, log=None):
        torch.manual_seed(1)
        self.g, self.d = nn.Linear(3, 4), nn.Linear(4, 1)
        self.log = log if log is not None else []

    def modules(self):
        return {"g": self.g, "d": self.d}

    def groups(self):
        return {"generator": self.g.parameters(), "critic": self.d.parameters()}

    def step(self, batch, context):
        real = batch["x"]
        fake = self.g(torch.randn(len(real), 3))
        before = self.g.weight.detach().clone()
        yield Turn("generator", (self.d(fake) - 1).square().mean())
        self.log.append((self.d.weight.grad is None, bool((self.g.weight != before).any())))
        loss = (self.d(real) - 1).square().mean() + self.d(fake.detach()).square().mean()
        yield Turn("critic", loss / 2)


class Noisy(Quiet):
    """Dropout, batch statistics and noise: whatever randomness or buffer is not restored shows in the weights."""

    def __init__(self):
        torch.manual_seed(3)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Dropout(0.2), nn.Linear(8, 4))

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": self.net.parameters()}

    def step(self, batch, context):
        x = batch["x"]
        eps = torch.randn_like(x)
        loss = (self.net(x + 0.3 * eps) - eps).square().mean() * (1 + context.epoch)
        yield Turn("net", loss, {"size": loss.detach().sqrt()})

    def evaluate(self, batch):
        x = batch["x"]
        eps = torch.randn_like(x)
        return {"error": (self.net(x + 0.3 * eps) - eps).square().mean()}


class Steady(Noisy):
    """The same without batch statistics, which several processes cannot share exactly."""

    def __init__(self):
        super().__init__()
        self.net[1] = nn.LayerNorm(8)


class Remembering(Regress):
    """What it learns depends on what it saw before in the same slot of the step."""

    def __init__(self):
        super().__init__()
        self.memory = Memory()

    def step(self, batch, context):
        x = batch["x"]
        before = self.memory.seen.get(context.slot, torch.zeros(4))
        self.memory.seen[context.slot] = x.mean(0) + 0.5 * before
        yield Turn("net", (self.net(x + before) - x.sum(1, keepdim=True)).square().mean())


class Memory:
    def __init__(self):
        self.seen = {}

    def state_dict(self):
        return dict(self.seen)

    def load_state_dict(self, state):
        self.seen = dict(state)


class Adapter(Regress):
    """A small trained part on a frozen base, which is neither averaged nor saved."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(4, 4).requires_grad_(False)
        self.net = nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 1, bias=False))

    def modules(self):
        return {"adapter": self.net}

    def groups(self):
        return {"adapter": self.net.parameters()}

    def step(self, batch, context):
        yield Turn("adapter", self.error(self.base(batch["x"])))

    def evaluate(self, batch):
        return {"error": self.error(self.base(batch["x"]))}


class Contrastive(Quiet):
    """Each row has to find its own mirrored view among the rows of all processes."""

    def __init__(self):
        torch.manual_seed(4)
        self.net = nn.Linear(4, 3)

    def modules(self):
        return {"net": self.net}

    def groups(self):
        return {"net": self.net.parameters()}

    def loss(self, x, gather, first):
        own, others = self.net(x), gather(self.net(x.flip(1)))
        return F.cross_entropy(own @ others.T, torch.arange(len(x)) + first)

    def step(self, batch, context):
        x = batch["x"]
        counts = context.world.gather(torch.tensor([[float(len(x))]]))
        first = int(counts[: context.world.rank].sum())
        yield Turn("net", self.loss(x, context.world.gather, first))

    def validation(self):
        return Recall(self.net)


class Recall:
    """A figure of the whole set: how many rows find themselves, over all rows of all processes."""

    def __init__(self, net):
        self.net, self.own, self.others = net, [], []

    def update(self, batch, count):
        self.own.append(self.net(batch["x"]))
        self.others.append(self.net(batch["x"].flip(1)))

    def compute(self, world):
        own = world.gather(torch.cat([torch.zeros(0, 3), *self.own]))
        others = world.gather(torch.cat([torch.zeros(0, 3), *self.others]))
        found = (own @ others.T).argmax(1) == torch.arange(len(own))
        return {"error": float((~found).float().mean())}


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-2)


def update(task, **options):
    trained = [p for parameters in task.groups().values() for p in parameters]
    options = {
        "make_optimizer": adamw,
        "device": CPU,
        "average": ExponentialMovingAverage(task.modules(), decay=0.9, trained=trained),
    } | options
    return TrainStep(task, **options)


def trainer(
    folder: Path, *, task=None, epochs=4, workers=0, accumulate=2, world=None, even=False, cadences=None, **options
) -> Trainer:
    """A run with workers, EMA, accumulation over an uneven tail, plateau, best and periodic checkpoints."""
    task = task or Noisy()
    loader = BatchLoader(
        Points(22, 0.1), batch_size=4, accumulate=accumulate, seed=5, workers=workers, world=world, even=even
    )
    held_out = BatchLoader(Points(6), batch_size=4, shuffle=False, world=world)
    plan = {"goal": epochs * loader.steps_per_epoch, "save": Cadence(epochs=2)} | (cadences or {})
    made = Trainer(
        update(task, max_norm=1.0, world=world),
        loader,
        cadences=Cadences(**plan),
        rate=Plateau(lambda step: 1e-2 / (1 + step / 10), floor=1e-5, patience=0),
        validation=Validation(task, held_out, device=CPU, world=world),
        checkpoint_writer=options.pop("writer", None) or CheckpointWriter(folder, NAMES, identity={"kind": "toy"}),
        journal=Journal(folder / "journal.jsonl"),
        best=Best(),
        comparable_after=loader.steps_per_epoch,
        stopping=Stopping(patience=0, delta=0, window=0, threshold=0),
        monitor="val/error",
        **options,
    )
    if isinstance(task, Remembering):
        made.register("memory", task.memory)
    return made
