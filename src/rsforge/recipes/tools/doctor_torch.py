"""What ``rsforge doctor`` finds out about torch, torchvision and the devices."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import warnings
from functools import partial
from importlib import metadata
from pathlib import Path

from rsforge.compat import ensure_torchvision
from rsforge.recipes.tools.doctor_findings import (
    INSTALL,
    Finding,
    count_processors,
    describe_error,
    format_gib,
    report_missing,
    report_ok,
    report_ok_if,
    report_warning,
    run_probe,
)
from rsforge.recipes.tools.doctor_packages import read_requirements

TESTED_TORCH = "2.13.0"  # as in constraints.txt
NVIDIA = Path("/proc/driver/nvidia/version")


def examine_torch() -> dict[str, Finding]:
    try:
        import torch
    except Exception as error:
        return {
            "version": report_missing(
                f"torch cannot be imported: {describe_error(error)}", f"{INSTALL} torch torchvision"
            )
        }
    usable = count_processors()
    threads = torch.get_num_threads()
    tested = torch.__version__.partition("+")[0] == TESTED_TORCH
    version = f"{torch.__version__}, {'the tested release' if tested else f'tested is {TESTED_TORCH}'}"
    return {
        "version": report_ok_if(tested, version, f"{INSTALL} torch torchvision"),
        "threads": report_ok_if(
            threads <= usable, f"{threads} for {usable} usable processors", f"set OMP_NUM_THREADS={usable}"
        ),
        "torchvision": _examine_torchvision(torch.__version__),
    }


def _examine_torchvision(torch_version: str) -> Finding:
    """Whether torchvision can be imported, and whether it was built for this torch."""
    fix = f"{INSTALL} torch torchvision, both from the same index"
    try:
        how = ensure_torchvision()
    except Exception as error:
        return report_missing(f"cannot be imported: {describe_error(error)}", fix)
    if how == "absent":
        return report_missing("not installed", fix)
    version = metadata.version("torchvision")
    for requirement in read_requirements("torchvision"):
        if requirement.name == "torch" and not requirement.is_met_by(torch_version):
            return report_warning(f"{version}, {how}, made for torch{requirement.bounds}", fix)
    # A repaired torchvision lacks its compiled operators, which rsforge does not use.
    return report_ok(f"{version}, {how}")


def examine_devices() -> dict[str, Finding]:
    return {"cpu": run_probe(_examine_cpu), **_examine_cuda(), "mps": run_probe(_examine_mps)}


def _examine_cpu() -> Finding:
    import torch

    from rsforge.engine.precision import cpu_has

    name = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
    halves = ", ".join(f"{kind} in {'hardware' if cpu_has(kind) else 'software'}" for kind in ("bf16", "fp16"))
    return report_ok(f"{name}, {count_processors()} of {os.cpu_count()} processors usable, {halves}")


def _examine_cuda() -> dict[str, Finding]:
    """The graphics cards, or why there are none; torch reports unsuitable drivers by warnings."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        cards = {f"cuda:{i}": run_probe(partial(_examine_card, i)) for i in range(count)}
    toolkit = ""
    if torch.version.cuda:
        toolkit = f"CUDA {torch.version.cuda}"
    elif torch.version.hip:
        toolkit = f"ROCm {torch.version.hip}"
    driver = _read_driver_version()
    versions = f"{count or 'no'} cards, toolkit {toolkit or 'none'}, NVIDIA driver {driver or 'none'}"
    if caught:
        message = next(iter(str(caught[0].message).strip().splitlines()), "")
        return {
            "cuda": report_warning(f"{versions}: {message}", "install a driver and a torch build that fit each other"),
            **cards,
        }
    if driver and not toolkit:
        fix = "install torch and torchvision built for CUDA: pytorch.org/get-started"
        return {"cuda": report_warning(f"{versions}: this torch is built for the CPU alone", fix)}
    fix = "look at nvidia-smi and CUDA_VISIBLE_DEVICES; a driver older than the toolkit must be updated"
    return {"cuda": report_ok_if(bool(count) or not driver, versions, fix), **cards}


def _read_driver_version() -> str:
    """The version of the NVIDIA kernel driver; empty when there is none."""
    with contextlib.suppress(OSError):
        version = re.search(r"\b\d+(\.\d+)+\b", NVIDIA.read_text())
        return version[0] if version else ""
    return ""


def _examine_card(index: int) -> Finding:
    import torch

    card = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    capability = f"compute capability {card.major}.{card.minor}"
    return report_ok(f"{card.name}, {format_gib(total)}, {format_gib(free)} free, {capability}")


def _examine_mps() -> Finding:
    import torch

    return report_ok("usable" if torch.backends.mps.is_available() else "none")
