"""The meeting of several processes: each waits for the others in Python, so that signals and a limit end the wait."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from rsforge.errors import RsforgeError
from rsforge.launch_variables import Launch

PATIENCE_S = 300.0
CONNECT_S = 1.0
POLL_S = 0.05
OPERATION = timedelta(minutes=30)  # as torch waits for a collective operation


def meet(launch: Launch, patience_s: float = PATIENCE_S) -> Any:
    """The store of the ``launch``, once all of its processes are there; RSF-E012 after ``patience_s`` seconds.

    torch's own rendezvous waits in native code, where neither SIGINT nor SIGTERM is handled.
    """
    deadline = time.monotonic() + patience_s
    store: Any = dist.PrefixStore(  # type: ignore[attr-defined]
        f"rsforge/{launch.attempt}", _open_store(launch, deadline)
    )
    store.add(_key(launch.rank), 1)
    while absent := [rank for rank in range(launch.size) if not store.check([_key(rank)])]:
        if time.monotonic() > deadline:
            raise _absence(launch, absent)
        time.sleep(POLL_S)
    return store


def _key(rank: int) -> str:
    return f"here/{rank}"


def _open_store(launch: Launch, deadline: float) -> Any:
    """The store that rank 0 or torchrun keeps."""
    keeps = launch.rank == 0 and not launch.hosted
    try:
        if not keeps:
            _await_store(launch, deadline)
        return dist.TCPStore(  # type: ignore[attr-defined]
            launch.address, launch.port, launch.size, keeps, OPERATION, wait_for_workers=False
        )
    except dist.DistError as error:
        raise RsforgeError(
            "RSF-E012", f"rank {launch.rank} cannot meet the other training processes at {_place(launch)}",
            where="MASTER_ADDR, MASTER_PORT", found=str(error).splitlines()[0][:200],
        ) from error  # fmt: skip


def _await_store(launch: Launch, deadline: float) -> None:
    """Try to reach the store again and again: torch would print a trace for each attempt."""
    while True:
        try:
            socket.create_connection((launch.address, launch.port), CONNECT_S).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise _absence(launch, [0]) from error
            time.sleep(POLL_S)
        else:
            return


def _absence(launch: Launch, absent: list[int]) -> RsforgeError:
    shown = ", ".join(map(str, absent[:8])) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
    return RsforgeError(
        "RSF-E012", f"rank {launch.rank} of {launch.size} waited in vain at {_place(launch)}",
        where="RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT", found=f"no word of rank {shown}",
    )  # fmt: skip


def _place(launch: Launch) -> str:
    return f"{launch.address}:{launch.port}"
