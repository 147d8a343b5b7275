"""A method of your own on the engine: fill what clouds hide, and go on with a run as if it had never stopped.

The engine knows no method. It asks a task for its modules, its parameter groups, and the story of one step, which
yields a `Turn` for each group; autocast, backward, clipping, averaging and checkpoints happen in between.
"""

from collections.abc import Generator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine import checkpoint, journal, lr_schedules
from rsforge.engine.checkpoint_writer import CheckpointNames, CheckpointWriter
from rsforge.engine.early_stopping import Best, Stopping
from rsforge.engine.ema import ExponentialMovingAverage
from rsforge.engine.loader import BatchLoader
from rsforge.engine.task import Turn
from rsforge.engine.train_step import TrainStep
from rsforge.engine.trainer import Trainer
from rsforge.engine.validation import Validation


class FillClouds:
    """A network sees a tile with square clouds, and where they are, and answers with the whole tile."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        conv = partial(nn.Conv2d, kernel_size=5, padding=2)
        self.net = nn.Sequential(conv(4, 24), nn.SiLU(), conv(24, 24), nn.SiLU(), conv(24, 3))

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"net": list(self.net.parameters())}

    def open_epoch(self, epoch: int) -> None: ...

    def step(self, batch: Tensor, slot: int) -> Generator[Turn]:
        # Random clouds, and yet the same in every repetition: the engine seeds each turn of each step.
        yield Turn("net", self.evaluate(batch)["mse"])

    def evaluate(self, batch: Tensor) -> Mapping[str, Tensor]:
        """Squared error under the clouds: of the network, and of painting each tile's mean colour."""
        clear = (torch.rand(len(batch), 1, 4, 4) > 0.2).float().repeat_interleave(8, 2).repeat_interleave(8, 3)
        share = (1 - clear) / (3 * (1 - clear).sum()).clamp(min=1)
        mean = (batch * clear).sum((2, 3), keepdim=True) / clear.sum((2, 3), keepdim=True).clamp(min=1)
        filled = self.net(torch.cat([batch * clear, clear], 1))
        return {"mse": ((filled - batch).square() * share).sum(), "mean": ((mean - batch).square() * share).sum()}


def trainer(folder: Path, epochs: int) -> Trainer:
    folder.mkdir(exist_ok=True)
    task, cpu = FillClouds(), torch.device("cpu")
    held_out = BatchLoader(SyntheticTiles(40, image_size=32, seed=1), batch_size=20, shuffle=False)
    return Trainer(
        TrainStep(task, make_optimizer=AdamW, average=ExponentialMovingAverage(task.modules(), decay=0.95), device=cpu),
        BatchLoader(SyntheticTiles(160, image_size=32, seed=0, flip=0.5), batch_size=8),
        epochs=epochs, rate=lr_schedules.PureRate(partial(lr_schedules.warmed_up, rate=lambda step: 3e-3, warmup=10)),
        validation=Validation(task, held_out, device=cpu), monitor="val/mse", best=Best(),
        checkpoint_writer=CheckpointWriter(folder, CheckpointNames("epoch_{}.pt"), identity={"kind": "fill-clouds"}),
        journal=journal.Journal(folder / "log.jsonl"), stopping=Stopping(patience=0, delta=0, window=0, threshold=0),
    )  # fmt: skip


whole, cut = Path("whole"), Path("cut")
trainer(whole, epochs=6).run()
for row in filter(lambda row: "closed" in row, journal.read(whole / "log.jsonl")):
    print(f"epoch {row['epoch']}  under clouds: network {row['val/mse']:.4f}, mean colour {row['val/mean']:.4f}")
trainer(cut, epochs=2).run()
resumed = trainer(cut, epochs=6)
resumed.load(checkpoint.load(cut / "latest_model.pt", kind="fill-clouds"))
resumed.run()
same = (whole / "latest_model.pt").read_bytes() == (cut / "latest_model.pt").read_bytes()
print(f"2 epochs, then 4 more in a new trainer: the same checkpoint to the byte, {same}")
