"""Two processes that meet, make their first optimizer, and part; each prints its threads before and after parting.

Usage: ``python -m tests.engine.leaving``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import torch

from rsforge.engine import distributed
from tests.engine.toys import CPU, adamw


def read_threads() -> list[str]:
    return [place.read_text().strip() for place in Path("/proc/self/task").glob("*/comm")]


def meet_and_part(rank: int, port: int) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in address.items()})
    distributed.join(CPU).barrier()
    adamw([torch.zeros(1, requires_grad=True)])
    within = read_threads()
    distributed.leave()
    print(json.dumps([within, read_threads()]), flush=True)


def main() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    child = os.fork()
    meet_and_part(0 if child else 1, port)
    return os.waitpid(child, 0)[1] if child else 0


if __name__ == "__main__":
    sys.exit(main())
