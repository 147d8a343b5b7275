"""An interpreter that has imported everything, whose forks run what fresh interpreters would: ten seconds less each.

``run(words)`` is ``subprocess.run([sys.executable, *words])``, where words are ``-m MODULE ...`` or ``-c CODE ...``.
Every fork has a session of its own. As a program this is the server: a JSON object a line on stdin, one back on stdout.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rsforge
from tests.faults.forks import has_ended

ROOT = Path(__file__).parents[2]
SOURCE = Path(rsforge.__file__).parents[1]  # that of a mutant is elsewhere
PATIENCE_S = 300.0
IMPORTS = (
    "torchvision", "torchmetrics.functional.image", "safetensors.torch", "pandas", "pyarrow.parquet", "h5py",
    "rasterio", "scipy.ndimage", "yaml", "PIL.Image", "torch.utils.tensorboard", "torch._dynamo",
    *(f"rsforge.recipes.{group}.{name}" for group, name in (
        ("vae", "train"), ("vae", "evaluate"), ("vae", "reconstruct"), ("clip", "train"), ("diffusion", "train"),
        ("diffusion", "train_sar"), ("cyclegan", "train"), ("cyclegan", "translate"), ("cyclegan", "evaluate"),
        ("hsi", "train_spectral"), ("hsi", "train_spatial"),
        ("hsi_evaluation", "evaluate"), ("sample", "images"), ("tools", "info"), ("data", "audit"),
        ("data", "parquet_to_jsonl"),
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a fork ended, -9 also where it took too long; ``seconds`` are of the processor."""

    returncode: int
    seconds: float
    mib: int
    stdout: str
    stderr: str


class Fork:
    """A running fork, whose ``pid`` is also that of its process group."""

    def __init__(self, server: Server, pid: int, output: Path) -> None:
        self.server, self.pid, self.output = server, pid, output

    def wait(self, seconds: float = PATIENCE_S) -> Done:
        reply = self.server.ask({"wait": self.pid, "seconds": seconds})
        said = {name: self.output.with_suffix(f".{name}").read_text("utf-8") for name in ("stdout", "stderr")}
        return Done(**reply, **said)


class Server:
    """The process that forks, and the files that its forks write to."""

    def __init__(self) -> None:
        self.folder, self.count = TemporaryDirectory(), 0
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RSFORGE_")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{SOURCE}{os.pathsep}{ROOT}"}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.worlds.warm_python"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        return reply

    def start(self, words: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Fork:
        self.count += 1
        output = Path(self.folder.name, str(self.count))
        job = {"words": list(words), "env": dict(env or os.environ), "cwd": str(cwd or Path.cwd()), "out": str(output)}
        return Fork(self, self.ask(job)["pid"], output)

    def close(self) -> None:
        with self.process:
            self.process.kill()
        self.folder.cleanup()


@functools.cache
def serve() -> Server:
    """The server of this process; started by the first that asks for it."""
    server = Server()
    atexit.register(server.close)
    return server


def start(words: Sequence[str], env: Mapping[str, str] | None = None) -> Fork:
    return serve().start(words, env)


def run(words: Sequence[str], env: Mapping[str, str] | None = None, timeout: float = PATIENCE_S) -> Done:
    return start(words, env).wait(timeout)


def prepare() -> None:
    """Import what commands do, in one thread."""
    from rsforge.cli.app import load_all
    from rsforge.compat import ensure_torchvision, share_processors

    share_processors()
    load_all()
    import torch

    ensure_torchvision()
    for name in IMPORTS:
        importlib.import_module(name)
    torch.set_num_threads(1)
    gc.freeze()


def become(job: dict[str, Any]) -> None:
    """Be, in a forked process, the interpreter that was asked for."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, suffix in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{job['out']}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    how, what, *arguments = job["words"]
    sys.argv = [how, *arguments]
    code = 0
    try:
        if how == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, {"__name__": "__main__"})
    except SystemExit as ending:
        if not isinstance(ending.code, int | None):
            raise
        code = ending.code or 0
    leave(code)


def leave(code: int) -> None:
    """End this process without taking apart what it has imported, which takes half a second."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def await_end(pid: int, seconds: float) -> dict[str, Any]:
    if not has_ended(pid, seconds):
        os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    spent = round(usage.ru_utime + usage.ru_stime, 2)
    return {"returncode": os.waitstatus_to_exitcode(status), "seconds": spent, "mib": usage.ru_maxrss >> 10}


def main() -> None:
    prepare()
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            reply = await_end(job["wait"], job["seconds"])
        elif pid := os.fork():
            reply = {"pid": pid}
        else:
            become(job)
            return
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
