"""Run every example in a folder of its own, as many at once as there are cores for: none of them uses two."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent


def run(script: Path) -> bool:
    """Run ``script`` and print what it said; whether it ended well."""
    program = "bash" if script.suffix == ".sh" else sys.executable
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [program, str(script)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    print(f"== {script.name}: exit {done.returncode}\n{done.stdout}", flush=True)
    return done.returncode == 0


def main() -> None:
    scripts = sorted(p for p in HERE.iterdir() if p.suffix in (".py", ".sh") and not p.name.startswith("_"))
    # The longest first: its end is then not waited for alone.
    scripts.sort(key=lambda script: script.name not in ("latent_diffusion.py", "sar_to_optical.sh"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ended = list(pool.map(run, scripts))
    failed = [script.name for script, well in zip(scripts, ended, strict=True) if not well]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
