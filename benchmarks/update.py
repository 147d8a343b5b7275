"""The engine's training step against a plain loop: fused AdamW and one averaging call against tensor by tensor.

Both sides train the same network on the same batches with the same noise; the latents are small, so that the
update weighs as much as it can. The engine's side also judges each loss and gradient, and reports them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from _paired import THREADS, interleaved, repeats, report, timed
from torch import Tensor, nn

from rsforge.engine.ema import ExponentialMovingAverage
from rsforge.engine.loader import MicroBatch
from rsforge.engine.task import StepContext
from rsforge.engine.train_step import TrainStep
from rsforge.models.unet import UNet
from rsforge.noise.schedules import alphas_cumprod
from rsforge.seeds import derive
from rsforge.tasks.diffusion import DiffusionTask

RATE, DECAY, NORM, BATCH, SIDE = 1e-4, 0.995, 1.0, 2, 8
Step = Callable[[int], float]


def network() -> UNet:
    torch.manual_seed(0)
    return UNet(
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        cross_attention_dim=None,
    )


def learning(net: UNet) -> DiffusionTask:
    mean, std = torch.zeros(4, 1, 1), torch.ones(4, 1, 1)
    return DiffusionTask(net, alphas_cumprod=alphas_cumprod("linear", 1000), mean=mean, std=std)


def engine(batch: Tensor) -> Step:
    task = learning(network())
    update = TrainStep(
        task,
        make_optimizer=partial(torch.optim.AdamW, lr=RATE, fused=True),
        average=ExponentialMovingAverage(task.modules(), decay=DECAY),
        device=torch.device("cpu"),
        max_norm=NORM,
    )
    micro = MicroBatch({"latents": batch}, 1.0, 0, ("batch",))
    return lambda step: update([micro], step, RATE).read()["loss"]


def plain(batch: Tensor) -> Step:
    net = network()
    task, parameters = learning(net), list(net.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=False)
    shadow = [p.detach().clone() for p in parameters]

    def take(step: int) -> float:
        torch.manual_seed(derive(0, "step", step, 0, 0))
        optimizer.zero_grad()
        loss = next(task.step({"latents": batch}, StepContext())).loss
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, NORM)
        optimizer.step()
        decay = min(DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for average, parameter in zip(shadow, parameters, strict=True):
                average.mul_(decay).add_(parameter, alpha=1 - decay)
        return loss.item()

    return take


class Side:
    """A run that goes on by one step whenever it is its turn, and remembers its losses."""

    def __init__(self, take: Step) -> None:
        self.take, self.losses = take, list[float]()

    def step(self) -> None:
        self.losses.append(self.take(len(self.losses)))


def main() -> None:
    rounds = repeats(31)
    torch.set_num_threads(THREADS)
    batch = torch.randn(BATCH, 2, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    runs = {"plain loop": Side(plain(batch)), "engine": Side(engine(batch))}
    sides = {name: partial(timed, run.step) for name, run in runs.items()}
    interleaved(sides, 3)
    spent = interleaved(sides, rounds)
    pairs = zip(*(run.losses for run in runs.values()), strict=True)
    apart = max(abs(a - b) / b for a, b in pairs)
    count = sum(p.numel() for p in network().parameters())
    more = {"threads": THREADS, "parameters": count, "batch": BATCH, "losses_apart": apart}
    report("update", spent, against="plain loop", **more)


if __name__ == "__main__":
    main()
