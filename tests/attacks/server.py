"""One command line in a process that may not grow much and whose connections and programs are written down.

Usage: ``python -m tests.attacks.server JOB``, a JSON object with ``argv``, ``cwd`` and ``out``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import warnings
from pathlib import Path

GROWTH = 2 << 30  # bytes of private memory that a command may map beyond those of this process
WATCHED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")


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


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of libraries that are asked for odd files
    become(json.loads(sys.argv[1]))
