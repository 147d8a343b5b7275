"""Several processes of one group, forked from one that has imported torch.

Usage: ``python -m tests.engine.several FOLDER INTERRUPT_AFTER COUNT:TASK,TASK...`` for any number of groups.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import torch

from rsforge.engine import checkpoint, distributed
from rsforge.engine.checkpoint_writer import CheckpointWriter, NoCheckpointWriter
from rsforge.engine.journal import Journal, NoJournal
from tests.engine.toys import (
    CPU,
    NAMES,
    Adapter,
    Contrastive,
    Masked,
    Noisy,
    Regress,
    Remembering,
    Steady,
    adamw,
    trainer,
)

TASKS = {
    "regress": Regress,
    "noisy": Noisy,
    "steady": Steady,
    "remembering": Remembering,
    "masked": Masked,
    "adapter": Adapter,
    "contrastive": Contrastive,
}


def run(folder: Path, task: str, world, epochs: int, accumulate: int) -> None:
    writer = NoCheckpointWriter()
    if world.writes:
        writer = CheckpointWriter(folder, NAMES, identity={"kind": "toy"})
    gathers = task == "contrastive"
    plan = {"validate_start": task in ("regress", "noisy")}
    made = trainer(
        folder, task=TASKS[task](), epochs=epochs, accumulate=accumulate, world=world, even=gathers, writer=writer,
        cadences=plan,
    )  # fmt: skip
    made.journal = Journal(folder / "journal.jsonl") if world.writes else NoJournal(folder)
    latest = folder / "latest_model.pt"
    if latest.exists():
        made.load(checkpoint.load(latest))
    made.run()
    world.barrier()


def run_tasks(base: Path, tasks: list[str], cut: int) -> None:
    world = distributed.join(CPU)
    for task in tasks:
        for name, plan in {"whole": (4,), "cut": (cut, 4)}.items():
            for epochs in plan:
                run(base / task / name, task, world, epochs, 1)
    distributed.leave()


def fork(rank: int, count: int, port: int, *arguments) -> int:
    """A process of the group, with the environment that torchrun gives; its id."""
    pid = os.fork()
    if pid:
        return pid
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in address.items()})
    try:
        run_tasks(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def run_group(count: int, *arguments) -> None:
    """Run ``count`` processes; when one fails the others would wait for it, and are ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    members = {fork(rank, count, port, *arguments) for rank in range(count)}
    while members:
        pid, status = os.wait()
        members.remove(pid)
        if status:
            for other in members:
                os.kill(other, signal.SIGKILL)
            sys.exit(1)


def main() -> None:
    torch.set_num_threads(1)
    adamw([torch.zeros(1, requires_grad=True)])  # the first optimizer imports much; the forked ones then need not
    base, cut = Path(sys.argv[1]), int(sys.argv[2])
    for group in sys.argv[3:]:
        count, tasks = group.split(":")
        run_group(int(count), base / count, tasks.split(","), cut)


if __name__ == "__main__":
    main()
