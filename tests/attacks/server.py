"""A process that imports everything once and runs each command line that it reads in a fork of its own.

One JSON object a line on stdin, ``{"argv", "cwd", "out"}``; one a line back, ``{"exit", "seconds", "mib"}``.
``seconds`` are of the processor, ``exit`` is -9 for a command that took ``SECONDS`` of the clock.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import sys
from pathlib import Path

SECONDS = 60
GROWTH = 2 << 30  # bytes of private memory that a command may map beyond those of this process
IMPORTS = (
    "torchvision", "safetensors.torch", "pandas", "pyarrow.parquet", "h5py", "rasterio", "scipy.ndimage",
    "yaml", "PIL.Image", "torch.utils.tensorboard", "torch._dynamo",
    *(f"rsforge.recipes.{group}.{name}" for group, name in (
        ("vae", "train"), ("vae", "evaluate"), ("vae", "reconstruct"), ("diffusion", "train"), ("cyclegan", "train"),
        ("cyclegan", "translate"), ("cyclegan", "evaluate"), ("sample", "images"), ("tools", "info"), ("data", "audit"),
    )),
)  # fmt: skip
WATCHED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")


def prepare() -> None:
    from rsforge.cli.app import load_all
    from rsforge.compat import ensure_torchvision

    load_all()
    import torch

    ensure_torchvision()
    for name in IMPORTS:
        importlib.import_module(name)

    torch.set_num_threads(1)


def watch(events: Path) -> None:
    """Write the name of every connection and every started program to a file."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED:
            descriptor = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, f"{event} {arguments[:2]!r}\n"[:300].encode())
            os.close(descriptor)

    sys.addaudithook(hook)


def private_bytes() -> int:
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(rows["VmData"].split()[0]) << 10


def become(job: dict[str, object]) -> None:
    """Run one command line in this forked process and leave with its exit code."""
    from rsforge.cli.main import run

    out = Path(str(job["out"]))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, suffix in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(out.with_suffix(f".{suffix}"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    os.chdir(str(job["cwd"]))
    resource.setrlimit(resource.RLIMIT_DATA, (private_bytes() + GROWTH,) * 2)
    watch(out.with_suffix(".events"))
    code = 99
    try:
        code = run(list(job["argv"]))  # type: ignore[call-overload]
    except SystemExit as ending:  # how a command leaves that started others
        code = int(ending.code or 0)
    except BaseException as error:
        sys.stderr.write(f"Traceback: {error!r}")
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def answer(job: dict[str, object]) -> dict[str, object]:
    pid = os.fork()
    if pid == 0:
        become(job)
    watched = os.pidfd_open(pid)
    over = not select.select([watched], [], [], SECONDS)[0]
    if over:
        os.kill(pid, 9)
    _, status, usage = os.wait4(pid, 0)
    os.close(watched)
    code = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    return {"exit": code, "seconds": round(seconds, 2), "mib": usage.ru_maxrss >> 10}


def main() -> None:
    prepare()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
