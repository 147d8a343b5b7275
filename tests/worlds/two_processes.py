"""Command lines run by two processes of one group, forked from one that has imported torch.

Usage: ``python -m tests.worlds.two_processes LINE LINE ...``; both processes run every line, one after another.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import traceback

import torch

import rsforge.recipes.clip.train  # noqa: F401 - the forked ones then need not
from rsforge.cli.main import run
from rsforge.engine import distributed
from rsforge.recipes.diffusion import networks, train_sar  # noqa: F401
from rsforge.recipes.tracking import loss_plots


def fork(rank: int, port: int, line: str) -> int:
    """A process of the group, with the environment that torchrun gives; its id."""
    pid = os.fork()
    if pid:
        return pid
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in address.items()})
    try:
        code = run([*shlex.split(line), "--quiet"])
        distributed.leave()
        os._exit(code)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # imports much, too
    loss_plots.draw = lambda rows, curves, path, *, marks: None
    networks.CRITIC_WIDTH = 8
    for line in sys.argv[1:]:
        train_together(line)


def train_together(line: str) -> None:
    """Both processes run ``line``; each line has a port of its own, since the former may still be in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    members = {fork(rank, port, line) for rank in range(2)}
    while members:
        pid, status = os.wait()
        members.remove(pid)
        if status:
            for other in members:
                os.kill(other, signal.SIGKILL)
            sys.exit(1)


if __name__ == "__main__":
    main()
