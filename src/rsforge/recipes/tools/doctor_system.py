"""What ``rsforge doctor`` finds out about Python, memory, disk and shared memory."""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import shutil
from pathlib import Path

from rsforge import __version__
from rsforge.recipes.tools.doctor_findings import (
    GIB,
    Finding,
    format_gib,
    report_ok,
    report_ok_if,
    report_warning,
    run_probe,
)

LITTLE_MEMORY = 4 * GIB
LITTLE_DISK = 5 * GIB
LITTLE_SHARED = GIB // 4
SHARED = Path("/dev/shm")
MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup/memory.max")


def examine_system() -> dict[str, Finding]:
    return {
        "rsforge": report_ok(__version__),
        "python": report_ok(f"{platform.python_implementation()} {platform.python_version()}"),
        "platform": report_ok(platform.platform()),
        "memory": run_probe(_examine_memory),
        "disk": run_probe(_examine_disk),
        "workers": run_probe(_examine_workers),
    }


def _examine_memory() -> Finding:
    total = available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    line = re.search(r"MemAvailable:\s*(\d+) kB", MEMORY.read_text()) if MEMORY.exists() else None
    if line is not None:
        available = int(line[1]) * 1024
    found = f"{format_gib(total)}, {format_gib(available)} available"
    limit = CONTAINER.read_text().strip() if CONTAINER.exists() else "max"
    if limit.isdigit():
        if int(limit) < total:
            found += f", limited to {format_gib(int(limit))} by the container"
        available = min(available, int(limit))
    return report_ok_if(available >= LITTLE_MEMORY, found, "close other programs; lower --batch-size and --num-workers")


def _examine_disk() -> Finding:
    folder = Path.cwd()
    usage = shutil.disk_usage(folder)
    found = f"{format_gib(usage.free)} free of {format_gib(usage.total)} at {folder}"
    if not os.access(folder, os.W_OK):
        return report_warning(
            f"{found}, not writable", "name a folder you may write to with --output-dir or --base-dir"
        )
    return report_ok_if(usage.free >= LITTLE_DISK, found, "free space, or name another --output-dir")


def _examine_workers() -> Finding:
    started = f"loader processes start by {multiprocessing.get_all_start_methods()[0]}"
    if not SHARED.is_dir():
        return report_ok(f"{started}; no {SHARED} on this system")
    usage = shutil.disk_usage(SHARED)
    found = f"{started}; {SHARED} has {format_gib(usage.free)} free of {format_gib(usage.total)}"
    fix = "use --num-workers 0, or give the container more (docker run --shm-size 2g)"
    return report_ok_if(usage.free >= LITTLE_SHARED, found, fix)
