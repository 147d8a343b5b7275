"""What each of several processes runs: ``torchrun ... -m tests.engine.several FOLDER INTERRUPT_AFTER``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from rsforge.engine import checkpoint, distributed
from rsforge.engine.checkpoint_writer import CheckpointWriter, NoCheckpointWriter
from rsforge.engine.journal import Journal, NoJournal
from tests.engine.toys import CPU, NAMES, Adapter, Contrastive, Noisy, Regress, Remembering, Steady, trainer

TASKS = {
    "regress": Regress,
    "noisy": Noisy,
    "steady": Steady,
    "remembering": Remembering,
    "adapter": Adapter,
    "contrastive": Contrastive,
}


def run(folder: Path, task: str, world, epochs: int, accumulate: int) -> None:
    writer = NoCheckpointWriter()
    if world.writes:
        writer = CheckpointWriter(folder, NAMES, identity={"kind": "toy"})
    gathers = task == "contrastive"
    made = trainer(
        folder, task=TASKS[task](), epochs=epochs, accumulate=accumulate, world=world, even=gathers, writer=writer
    )
    made.journal = Journal(folder / "journal.jsonl") if world.writes else NoJournal(folder)
    latest = folder / "latest_model.pt"
    if latest.exists():
        made.load(checkpoint.load(latest))
    made.run()
    world.barrier()


def main() -> None:
    torch.set_num_threads(1)
    base, cut = Path(sys.argv[1]), int(sys.argv[2])
    world = distributed.join(CPU)
    for task in TASKS:
        for name, plan in {"whole": (4,), "cut": (cut, 4)}.items():
            for epochs in plan:
                run(base / task / name, task, world, epochs, 1)
    distributed.leave()


if __name__ == "__main__":
    main()
