"""A training step of CycleGAN in the engine against two plain loops with the same networks, batches and pools.

`plain` is the usual careful loop: critics frozen while generators move, every generator run once, torch's own Adam.
`notebook` is the loop that the source document describes: generators run again for the critics, critics collect
gradients that nobody uses, memory is collected after every batch. The engine also judges each loss and gradient.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from _paired import THREADS, interleaved, repeats, report, timed
from torch import Tensor, nn

from rsforge.engine.ema import NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.train_step import TrainStep
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.seeds import derive
from rsforge.tasks.cyclegan import CycleGanTask, Weights
from rsforge.tasks.image_pool import ImagePools

RATE, BETAS, SIZE = 2e-4, (0.5, 0.999), 256
Nets = Mapping[str, nn.Module]
Step = Callable[[int], float]


def networks() -> Nets:
    torch.manual_seed(0)
    return {
        "gen_AB": Pix2PixUNet(in_channels=1, out_channels=3),
        "gen_BA": Pix2PixUNet(in_channels=3, out_channels=1),
        "disc_X": PatchCritic(in_channels=4),
        "disc_Y": PatchCritic(in_channels=4),
    }


def parameters(nets: Nets, *names: str) -> list[nn.Parameter]:
    return [p for name in names for p in nets[name].parameters()]


def engine(x: Tensor, y: Tensor) -> Step:
    task = CycleGanTask(networks(), pools=ImagePools(50), weights=Weights(content=0))
    update = TrainStep(
        task,
        make_optimizer=lambda p: torch.optim.AdamW(p, RATE, betas=BETAS, weight_decay=0.0, fused=True),
        average=NoEma(),
        device=torch.device("cpu"),
    )
    micro = MicroBatch({"sar": x, "optical": y}, 1.0, 0, ("pair",))
    return lambda step: update([micro], step, RATE).read()["Total_G_Loss"]


def bce(logits: Tensor, wanted: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))


def generators_loss(n: Nets, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> Tensor:
    fooled = bce(n["disc_Y"](torch.cat([x, fake_y], 1)), 1.0) + bce(n["disc_X"](torch.cat([y, fake_x], 1)), 1.0)
    cycle = F.l1_loss(n["gen_BA"](fake_y), x) + F.l1_loss(n["gen_AB"](fake_x), y)
    return fooled + 10 * cycle + 100 * F.l1_loss(fake_y, y)


def critics_loss(n: Nets, x: Tensor, y: Tensor, pairs: Mapping[str, Tensor]) -> Iterator[Tensor]:
    for name, source, target in (("disc_X", y, x), ("disc_Y", x, y)):
        yield (bce(n[name](torch.cat([source, target], 1)), 1.0) + bce(n[name](pairs[name]), 0.0)) / 2


class Plain:
    """The usual careful loop."""

    freeze, repeat, collect = True, False, False

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.nets, self.x, self.y, self.pools = networks(), x, y, ImagePools(50)
        self.critics = parameters(self.nets, "disc_X", "disc_Y")
        self.adams = [
            torch.optim.Adam(p, RATE, betas=BETAS) for p in (parameters(self.nets, "gen_AB", "gen_BA"), self.critics)
        ]

    def __call__(self, step: int) -> float:
        n, x, y = self.nets, self.x, self.y
        torch.manual_seed(derive(0, "step", step, 0, 0))  # the engine's, so that all drop the same features
        for p in self.critics:
            p.requires_grad_(not self.freeze)
        fake_x, fake_y = n["gen_BA"](y), n["gen_AB"](x)
        loss = generators_loss(n, x, y, fake_x, fake_y)
        self.move(0, loss)
        for p in self.critics:
            p.requires_grad_(True)
        if self.repeat:
            fake_x, fake_y = n["gen_BA"](y), n["gen_AB"](x)
        shown = {"disc_X": torch.cat([y, fake_x.detach()], 1), "disc_Y": torch.cat([x, fake_y.detach()], 1)}
        pooled = {name: self.pools.query(name, 0, pair) for name, pair in shown.items()}
        self.move(1, sum(critics_loss(n, x, y, pooled), x.new_zeros(())))
        if self.collect:
            gc.collect()
            torch.cuda.empty_cache()
        return loss.item()

    def move(self, group: int, loss: Tensor) -> None:
        self.adams[group].zero_grad()
        loss.backward()
        self.adams[group].step()


class Notebook(Plain):
    freeze, repeat, collect = False, True, True


def main() -> None:
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.rand(1, channels, SIZE, SIZE, generator=generator) * 2 - 1 for channels in (1, 3))
    sides: dict[str, Step] = {"engine": engine(x, y), "plain": Plain(x, y), "notebook": Notebook(x, y)}
    losses: dict[str, list[float]] = {name: [] for name in sides}

    def take(name: str) -> None:
        losses[name].append(sides[name](len(losses[name])))

    timers = {name: partial(timed, partial(take, name)) for name in sides}
    interleaved(timers, 1)
    spent = interleaved(timers, repeats(7))
    apart = max(abs(a - b) / b for a, b in zip(losses["engine"], losses["plain"], strict=True))
    more = {"threads": THREADS, "image_size": SIZE, "batch": 1, "losses_apart": apart}
    report("cyclegan step", spent, against="plain", **more)


if __name__ == "__main__":
    main()
