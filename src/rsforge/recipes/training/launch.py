"""Starting several training processes: torchrun without its noise, and one ending reported for all of them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

import torch

from rsforge.error_registry import ExitCode
from rsforge.errors import RsforgeError
from rsforge.launch_variables import Launch, read_launch
from rsforge.process_protocol import EXIT_FOLDER, TORCHRUN, die_with_parent
from rsforge.recipes.console import Console
from rsforge.settings.base import RunSettings

CONSEQUENCES = ("RSF-E009", "RSF-B001")
STOPS = ("RSF-I130", "RSF-I143")
PATIENCE = 2
MOST_PROCESSES, MOST_PER_CORE = 8, 4


def should_launch(run: RunSettings) -> bool:
    """Whether this process should start others instead of training itself; RSF-U005 and E005 as ``local_processes``.

    RSF-U005 also where --distributed asks for processes that nobody started, and where --processes asks for others
    than were started.
    """
    launch = read_launch()
    if launch is not None and launch.size > 1:
        _check_size(run, launch)
        return False
    several = all_processes(run) > 1
    if run.distributed and not several and launch is None:
        raise RsforgeError(
            "RSF-U005",
            "--distributed is for a process that torchrun started, and none did",
            where="--distributed",
            fix="start it by `torchrun --nproc-per-node N -m rsforge ...`, or replace --distributed by --processes N",
        )
    return several


def all_processes(run: RunSettings) -> int:
    """The processes of ``run`` on all machines; errors as ``local_processes``."""
    return local_processes(run) * run.nodes


def _check_size(run: RunSettings, launch: Launch) -> None:
    if run.processes > 1 and run.processes * run.nodes != launch.size:
        raise RsforgeError(
            "RSF-U005", f"the environment says that this is one of {launch.size} processes, and the options say others",
            where="--processes, --nodes, WORLD_SIZE", found=f"--processes {run.processes} --nodes {run.nodes}",
            fix="leave out --processes under torchrun, or unset RANK and WORLD_SIZE",
        )  # fmt: skip


def local_processes(run: RunSettings) -> int:
    """The processes of ``run`` on this machine: those asked for, or with --multi-gpu one a GPU.

    RSF-E005 where there is no GPU; RSF-U005 where both options say how many, or where there are so many that the
    machine would have no memory left.
    """
    if not run.multi_gpu:
        most = max(MOST_PROCESSES, MOST_PER_CORE * (os.cpu_count() or 1), torch.cuda.device_count())
        if run.processes > most:
            raise RsforgeError("RSF-U005", f"--processes {run.processes} on a machine of {os.cpu_count()} cores",
                               where="--processes", fix=f"give at most {most}: one a GPU or a core")  # fmt: skip
        return run.processes
    if run.processes > 1:
        raise RsforgeError("RSF-U005", "--multi-gpu and --processes both say how many processes there are",
                           where="--multi-gpu, --processes", fix="leave one of them out")  # fmt: skip
    if not (count := torch.cuda.device_count()):
        raise RsforgeError("RSF-E005", "--multi-gpu needs a CUDA device, and there is none", where="--multi-gpu",
                           fix="leave it out, or start processes on the CPU with --processes N")  # fmt: skip
    return count


def torchrun(run: RunSettings, console: Console) -> NoReturn:
    """Run the same command line in ``processes`` processes, and leave as they leave when all have ended.

    The first of them writes the result to stdout. SIGINT and SIGTERM go on to all of them. An error that one of
    them met is raised here; RSF-E009 when one was killed.
    """
    threads = max(1, (os.cpu_count() or 1) // local_processes(run))
    with tempfile.TemporaryDirectory(prefix="rsforge-") as name:
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ, EXIT_FOLDER: name}
        own = [sys.executable, "-m", "rsforge.recipes.training.launch", str(os.getpid())]
        with Relay(Path(name)) as relay:
            # A session of its own: Ctrl-C reaches the processes once, through the relay.
            command = [*own, *_place(run), "-m", "rsforge", *console.argv]
            child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
            relay.attend(child)
        code = ending(Path(name), child.returncode, relay.received)
    if code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    raise SystemExit(code)


class Relay:
    """Hands each SIGINT and SIGTERM on to every process that enrolled in ``folder``, the first rank first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.received: list[int] = []
        self._sent: dict[int, int] = {}

    def __enter__(self) -> Relay:
        self._former = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)

    def attend(self, child: subprocess.Popen[bytes]) -> None:
        """Wait for the end of ``child``; signals beyond the second end it at once, and its ranks with it."""
        while child.poll() is None:
            enrolled = sorted((int(p.stem), int(p.suffix[1:])) for p in self.folder.glob("[0-9]*.[0-9]*"))
            for _, pid in enrolled:
                self._hand_on(pid)
            if len(self.received) > PATIENCE:
                child.kill()
            elif self.received and not enrolled:
                child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.1)

    def _hand_on(self, pid: int) -> None:
        for number in self.received[self._sent.get(pid, 0) :]:
            self._sent[pid] = self._sent.get(pid, 0) + 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def ending(folder: Path, status: int, received: list[int]) -> int:
    """The exit code of a run from what its processes left in ``folder``; raises the error that one of them met.

    ``status`` is torchrun's own exit code. A cause comes before its consequences in the other processes, a stop
    before anything else, and the first rank's stop before those of ranks that were only notified of it.
    """
    if status == 0:
        return int(ExitCode.DONE)
    errors = _errors(folder)
    if errors and errors[0].code not in CONSEQUENCES:
        raise errors[0]
    if received:
        return 128 + received[0]
    if (died := folder / "died").exists():
        raise RsforgeError("RSF-E009", "a training process died", found=died.read_text("utf-8"))
    if errors:
        raise errors[0]
    codes = [int(p.read_text()) for p in sorted(folder.glob("[0-9]*"), key=_when) if p.name.isdigit()]
    if first := next((c for c in codes if c), 0):
        return first
    if status < 0:
        killed = f"torchrun by {signal.Signals(-status).name}"
        raise RsforgeError("RSF-E009", "the process that started the others died", found=killed)
    said = folder / "failed"
    raise RsforgeError(
        "RSF-B001", "torchrun failed", found=said.read_text("utf-8") if said.exists() else f"exit code {status}"
    )


def _errors(folder: Path) -> list[RsforgeError]:
    """What the processes met: stops by rank, other causes by time, and the loss of a peer last."""
    found = []
    for path in folder.glob("[0-9]*.json"):
        told = json.loads(path.read_text("utf-8"))
        parts = {name: told[name] for name in ("where", "found", "kept", "fix")}
        place = (told["code"] == "RSF-E009", 0 if told["code"] in STOPS else _when(path), int(path.stem))
        found.append((place, RsforgeError(told["code"], told["message"], **parts)))
    return [error for _, error in sorted(found, key=lambda pair: pair[0])]


def _when(path: Path) -> int:
    return path.stat().st_mtime_ns


def _place(run: RunSettings) -> list[str]:
    if run.nodes == 1:
        return ["--standalone", "--nproc-per-node", str(local_processes(run))]
    address = os.environ.get("MASTER_ADDR")
    if not address:
        raise RsforgeError(
            "RSF-U005", "--nodes needs the address of the first machine", fix="set MASTER_ADDR (and MASTER_PORT)"
        )
    endpoint = f"{address}:{os.environ.get('MASTER_PORT', '29500')}"
    nodes = ["--nnodes", str(run.nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint]
    return [*nodes, "--rdzv-id", "rsforge", "--nproc-per-node", str(local_processes(run))]


def _keep(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Leave torchrun's last word for the launcher: which rank a signal killed, or what else it stumbled over."""
    failures = getattr(error, "failures", {}).items()
    # SIGTERM is torchrun's own way of ending the others once one is lost.
    lost = {rank: signal.Signals(-f.exitcode) for rank, f in failures if f.exitcode < 0}
    causes = {rank: number for rank, number in lost.items() if number != signal.SIGTERM} or lost
    killed = [f"rank {rank} by {number.name}" for rank, number in causes.items()]
    text = ", ".join(killed) or f"{kind.__name__}: {next(iter(str(error).splitlines()), '')}"
    Path(os.environ[EXIT_FOLDER], "died" if killed else "failed").write_text(text, "utf-8")


def _as_torchrun(parent: int, words: list[str]) -> None:
    """Be torchrun, silently, for as long as ``parent`` lives."""
    die_with_parent()
    if os.getppid() != parent:
        return
    os.environ[TORCHRUN] = str(os.getpid())
    sys.excepthook = _keep
    logging.disable(logging.CRITICAL)
    from torch.distributed.run import main

    main(words)


if __name__ == "__main__":
    _as_torchrun(int(sys.argv[1]), sys.argv[2:])
