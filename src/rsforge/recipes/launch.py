"""Starting several training processes: torchrun, with the exit code of the process that failed first."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rsforge.engine.processes import launched
from rsforge.errors import ExitCode, RsforgeError
from rsforge.recipes.voice import Voice
from rsforge.settings.base import RunSettings

EXIT_FOLDER = "RSFORGE_EXIT_FOLDER"


def wanted(run: RunSettings) -> bool:
    """Whether this process should start others instead of training itself."""
    return run.processes * run.nodes > 1 and not launched()


def torchrun(run: RunSettings, show: Voice) -> dict[str, object]:
    """Run the same command line in ``processes`` processes and return when all have ended."""
    threads = max(1, (os.cpu_count() or 1) // run.processes)
    with tempfile.TemporaryDirectory() as folder:
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ, EXIT_FOLDER: folder}
        command = [sys.executable, "-m", "torch.distributed.run", *_place(run), "-m", "rsforge", *show.argv]
        done = subprocess.run(command, env=environment, check=False, stdout=sys.stderr)
        codes = [int(p.read_text()) for p in sorted(Path(folder).iterdir(), key=lambda p: p.stat().st_mtime_ns)]
    if done.returncode == 0:
        return {"processes": run.processes * run.nodes}
    first = next((c for c in codes if c), int(ExitCode.BUG))
    raise SystemExit(first)


def _place(run: RunSettings) -> list[str]:
    if run.nodes == 1:
        return ["--standalone", "--nproc-per-node", str(run.processes)]
    address = os.environ.get("MASTER_ADDR")
    if not address:
        raise RsforgeError(
            "RSF-U005", "--nodes needs the address of the first machine", fix="set MASTER_ADDR (and MASTER_PORT)"
        )
    endpoint = f"{address}:{os.environ.get('MASTER_PORT', '29500')}"
    nodes = ["--nnodes", str(run.nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint]
    return [*nodes, "--rdzv-id", "rsforge", "--nproc-per-node", str(run.processes)]
