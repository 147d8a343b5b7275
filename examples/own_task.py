"""A method of your own on the engine: fill what clouds hide, and go on with a run as if it had never stopped.

The engine knows no method. It asks a task for its modules, its parameter groups, and the turns of one step, which
yields a `Turn` for each group; autocast, backward, clipping, averaging and checkpoints happen in between.
"""

from collections.abc import Generator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine import checkpoint, journal, lr_schedules
from rsforge.engine.accumulator import MeanOverSamples
from rsforge.engine.cadence import Cadences
from rsforge.engine.checkpoint_writer import CheckpointNames, CheckpointWriter
from rsforge.engine.ema import NoEma
from rsforge.engine.loader import BatchLoader
from rsforge.engine.task import StepContext, Turn
from rsforge.engine.train_step import TrainStep
from rsforge.engine.trainer import Trainer
from rsforge.engine.validation import Validation
from rsforge.recipes.datasets.named_samples import NamedSamples


class FillClouds:
    """A network sees a tile with square clouds, and where they are, and answers with the whole tile."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(4, 32, 7, padding=3), nn.SiLU(), nn.Conv2d(32, 3, 7, padding=3))

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"net": list(self.net.parameters())}

    def validation(self) -> MeanOverSamples:
        return MeanOverSamples(self.evaluate)

    def step(self, batch: Mapping[str, Tensor], context: StepContext) -> Generator[Turn]:
        # Random clouds, and yet the same in every repetition: the engine seeds each turn of each step.
        yield Turn("net", self.evaluate(batch)["mse"])

    def evaluate(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Squared error under the clouds: of the network, and of painting each tile's mean colour."""
        images = batch["images"]
        clear = (torch.rand(len(images), 1, 4, 4) > 0.2).float().repeat_interleave(8, 2).repeat_interleave(8, 3)
        share = (1 - clear) / (3 * (1 - clear).sum()).clamp(min=1)
        mean = (images * clear).sum((2, 3), keepdim=True) / clear.sum((2, 3), keepdim=True).clamp(min=1)
        filled = self.net(torch.cat([images * clear, clear], 1))
        return {"mse": ((filled - images).square() * share).sum(), "mean": ((mean - images).square() * share).sum()}


def trainer(folder: Path, epochs: int) -> Trainer:
    folder.mkdir(exist_ok=True)
    task, cpu = FillClouds(), torch.device("cpu")
    tiles, unseen = (NamedSamples(SyntheticTiles(n, image_size=32, seed=n), ["images"]) for n in (160, 40))
    return Trainer(
        TrainStep(task, make_optimizer=torch.optim.AdamW, average=NoEma(), device=cpu),
        BatchLoader(tiles, batch_size=8), cadences=Cadences(goal=epochs * 20), monitor="val/mse",
        journal=journal.Journal(folder / "log.jsonl"), rate=lr_schedules.PureRate(lambda step: 3e-3),
        validation=Validation(task, BatchLoader(unseen, batch_size=20, shuffle=False), device=cpu),
        checkpoint_writer=CheckpointWriter(folder, CheckpointNames("epoch_{}.pt"), identity={"kind": "fill-clouds"}),
    )  # fmt: skip


whole, cut = Path("whole"), Path("cut")
trainer(whole, epochs=6).run()
for row in (row for row in journal.read(whole / "log.jsonl") if "closed" in row):
    print(f"epoch {row['epoch']}  under clouds: network {row['val/mse']:.4f}, mean colour {row['val/mean']:.4f}")
trainer(cut, epochs=2).run()
resumed = trainer(cut, epochs=6)
resumed.load(checkpoint.load(cut / "latest_model.pt", kind="fill-clouds"))
resumed.run()
one, other = ((folder / "latest_model.pt").read_bytes() for folder in (whole, cut))
print(f"2 epochs, then 4 more in a new trainer: the same checkpoint to the byte, {one == other}")
