"""``rsforge doctor``: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import contextlib
import multiprocessing
import operator
import os
import platform
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from rsforge import __version__
from rsforge.compat import ensure_torchvision
from rsforge.recipes.console import Console
from rsforge.settings.tools import DoctorSettings

TESTED_TORCH = "2.13.0"  # as in constraints.txt
INSTALL = "pip install -c constraints.txt"
GIB = 2**30
LITTLE_MEMORY, LITTLE_DISK, LITTLE_SHARED = 4 * GIB, 5 * GIB, GIB // 4
SHARED = Path("/dev/shm")
NVIDIA = Path("/proc/driver/nvidia/version")
MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup/memory.max")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip

Finding = dict[str, str]


def examine(settings: DoctorSettings, show: Console) -> dict[str, Any]:
    """Findings by room, each a ``state`` (ok, warn, missing), what was ``found``, and a ``fix``; never fails.

    ``ready`` is whether everything that all commands need is there, ``attention`` names what is not ok.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = _examine_torch()
        rooms = {
            "system": _examine_system(),
            "torch": torch,
            "packages": _examine_packages(),
            "extras": _examine_extras(),
        }
        if torch["version"]["state"] != "missing":
            rooms |= {"devices": _examine_devices(), "weights": {"vgg16": _run_probe(_examine_vgg16)}}
    needed = [*rooms["torch"].values(), *rooms["packages"].values()]
    attention = [f"{room}.{name}" for room, all_ in rooms.items() for name, f in all_.items() if f["state"] != "ok"]
    return {"ready": all(f["state"] != "missing" for f in needed), "attention": attention, **rooms}


def _ok(found: str) -> Finding:
    return {"state": "ok", "found": found, "fix": ""}


def _warn(found: str, fix: str) -> Finding:
    return {"state": "warn", "found": found, "fix": fix}


def _missing(found: str, fix: str) -> Finding:
    return {"state": "missing", "found": found, "fix": fix}


def _ok_if(good: bool, found: str, fix: str) -> Finding:
    return _ok(found) if good else _warn(found, fix)


def _run_probe(probe: Callable[[], Finding]) -> Finding:
    try:
        return probe()
    except Exception as error:  # one odd machine must not hide the other findings
        return _warn(f"could not be examined: {_describe_error(error)}", "report it; the other findings stand")


def _describe_error(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:160]}"


def _format_gib(count: float) -> str:
    return f"{count / GIB:.1f} GiB"


def _examine_system() -> dict[str, Finding]:
    return {
        "rsforge": _ok(__version__),
        "python": _ok(f"{platform.python_implementation()} {platform.python_version()}"),
        "platform": _ok(platform.platform()),
        "memory": _run_probe(_examine_memory),
        "disk": _run_probe(_examine_disk),
        "workers": _run_probe(_examine_workers),
    }


def _examine_memory() -> Finding:
    total = available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if MEMORY.exists() and (line := re.search(r"MemAvailable:\s*(\d+) kB", MEMORY.read_text())):
        available = int(line[1]) * 1024
    limit = CONTAINER.read_text().strip() if CONTAINER.exists() else "max"
    usable = min(available, int(limit)) if limit.isdigit() else available
    limited = (
        f", limited to {_format_gib(int(limit))} by the container" if limit.isdigit() and int(limit) < total else ""
    )
    found = f"{_format_gib(total)}, {_format_gib(available)} available{limited}"
    return _ok_if(usable >= LITTLE_MEMORY, found, "close other programs; lower --batch-size and --num-workers")


def _examine_disk() -> Finding:
    folder = Path.cwd()
    usage = shutil.disk_usage(folder)
    found = f"{_format_gib(usage.free)} free of {_format_gib(usage.total)} at {folder}"
    if not os.access(folder, os.W_OK):
        return _warn(f"{found}, not writable", "name a folder you may write to with --output-dir or --base-dir")
    return _ok_if(usage.free >= LITTLE_DISK, found, "free space, or name another --output-dir")


def _examine_workers() -> Finding:
    started = f"loader processes start by {multiprocessing.get_all_start_methods()[0]}"
    if not SHARED.is_dir():
        return _ok(f"{started}; no {SHARED} on this system")
    usage = shutil.disk_usage(SHARED)
    found = f"{started}; {SHARED} has {_format_gib(usage.free)} free of {_format_gib(usage.total)}"
    fix = "use --num-workers 0, or give the container more (docker run --shm-size 2g)"
    return _ok_if(usage.free >= LITTLE_SHARED, found, fix)


def _examine_torch() -> dict[str, Finding]:
    try:
        import torch
    except Exception as error:
        return {
            "version": _missing(f"torch cannot be imported: {_describe_error(error)}", f"{INSTALL} torch torchvision")
        }
    usable, threads = _count_processors(), torch.get_num_threads()
    tested = torch.__version__.partition("+")[0] == TESTED_TORCH
    version = f"{torch.__version__}, {'the tested release' if tested else f'tested is {TESTED_TORCH}'}"
    return {
        "version": _ok_if(tested, version, f"{INSTALL} torch torchvision"),
        "threads": _ok_if(
            threads <= usable, f"{threads} for {usable} usable processors", f"set OMP_NUM_THREADS={usable}"
        ),
        "torchvision": _examine_torchvision(torch.__version__),
    }


def _count_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _examine_torchvision(torch_version: str) -> Finding:
    """Whether torchvision can be imported, and whether it was built for this torch."""
    fix = f"{INSTALL} torch torchvision, both from the same index"
    try:
        how = ensure_torchvision()
    except Exception as error:
        return _missing(f"cannot be imported: {_describe_error(error)}", fix)
    if how == "absent":
        return _missing("not installed", fix)
    version = metadata.version("torchvision")
    pair = next((r for r in _read_requirements("torchvision") if r.name == "torch"), None)
    if pair is not None and not pair.met_by(torch_version):
        return _warn(f"{version}, {how}, made for torch{pair.bounds}", fix)
    # A mended torchvision lacks its compiled operators, and nothing here uses them.
    return _ok(f"{version}, {how}")


def _examine_devices() -> dict[str, Finding]:
    return {"cpu": _run_probe(_examine_cpu), **_examine_cuda(), "mps": _run_probe(_examine_mps)}


def _examine_cpu() -> Finding:
    import torch

    from rsforge.engine.precision import cpu_has

    name = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
    halves = ", ".join(f"{kind} in {'hardware' if cpu_has(kind) else 'software'}" for kind in ("bf16", "fp16"))
    return _ok(f"{name}, {_count_processors()} of {os.cpu_count()} processors usable, {halves}")


def _examine_cuda() -> dict[str, Finding]:
    """The cards, or why there are none; torch tells of unfit drivers by warnings."""
    import torch

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        cards = {f"cuda:{i}": _run_probe(partial(_examine_card, i)) for i in range(count)}
    hip = f"ROCm {torch.version.hip}" if torch.version.hip else ""
    toolkit, driver = f"CUDA {torch.version.cuda}" if torch.version.cuda else hip, _read_driver_version()
    versions = f"{count or 'no'} cards, toolkit {toolkit or 'none'}, NVIDIA driver {driver or 'none'}"
    if heard:
        told = next(iter(str(heard[0].message).strip().splitlines()), "")
        return {"cuda": _warn(f"{versions}: {told}", "install a driver and a torch build that fit each other"), **cards}
    if driver and not toolkit:
        fix = "install torch and torchvision built for CUDA: pytorch.org/get-started"
        return {"cuda": _warn(f"{versions}: this torch is built for the CPU alone", fix)}
    fix = "look at nvidia-smi and CUDA_VISIBLE_DEVICES; a driver older than the toolkit must be updated"
    return {"cuda": _ok_if(bool(count) or not driver, versions, fix), **cards}


def _read_driver_version() -> str:
    with contextlib.suppress(OSError):
        if version := re.search(r"\b\d+(\.\d+)+\b", NVIDIA.read_text()):
            return version[0]
    return ""


def _examine_card(index: int) -> Finding:
    import torch

    card = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    capability = f"compute capability {card.major}.{card.minor}"
    return _ok(f"{card.name}, {_format_gib(total)}, {_format_gib(free)} free, {capability}")


def _examine_mps() -> Finding:
    import torch

    return _ok("usable" if torch.backends.mps.is_available() else "none")


class Requirement(NamedTuple):
    """One line of a package's metadata: what it needs, in which versions, for which extra."""

    name: str
    bounds: str
    extra: str

    def met_by(self, version: str) -> bool:
        bounds = re.findall(r"(>=|<=|==|!=|>|<)\s*([\d.]+)(?![\d.*])", self.bounds)
        return all(COMPARE[sign](_release_numbers(version), _release_numbers(bound)) for sign, bound in bounds)


def _release_numbers(version: str) -> tuple[int, ...]:
    """The release of a version, so that 2.10 equals 2.10.0 and 2.13.0+cpu equals 2.13."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(n) for n in re.sub(r"(\.0)+$", "", release[0]).split(".")) if release else ()


def _read_requirements(package: str) -> Iterator[Requirement]:
    """What ``package`` needs by its metadata; nothing where it is not installed."""
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        wanted, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if name := re.match(r"[\w.-]+", wanted):
            bounds = re.sub(r"\[.*?\]|[()\s]", "", wanted[name.end() :])
            yield Requirement(name[0], bounds, extra[1] if extra else "")


def _examine_packages() -> dict[str, Finding]:
    needed = [r for r in _read_requirements("rsforge") if not r.extra]
    if not needed:
        return {"rsforge": _missing("not installed, or without its metadata", f"{INSTALL} -e .")}
    return {r.name: _examine_package(r, f"{INSTALL} '{r.name}{r.bounds}'") for r in needed}


def _examine_extras() -> dict[str, Finding]:
    optional = [r for r in _read_requirements("rsforge") if r.extra]
    return {f"{r.extra}.{r.name}": _examine_package(r, f"{INSTALL} 'rsforge[{r.extra}]'") for r in optional}


def _examine_package(requirement: Requirement, fix: str) -> Finding:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return _missing("not installed", fix)
    if not requirement.met_by(version):
        return _missing(f"{version} is installed, needed is {requirement.bounds}", fix)
    return _ok(f"{version} ({requirement.bounds})")


def _examine_vgg16() -> Finding:
    from rsforge.models.vgg import find_vgg16

    path = find_vgg16()
    if path is not None:
        return _ok(str(path))
    fix = "give torchvision's vgg16-397923af.pth with --vgg-weights FILE, or train without: --no-perceptual"
    return _missing("not in the torch hub cache; vae train and cyclegan train compare its features by default", fix)
