"""Findings of ``rsforge doctor``: a state, what was found, and a remedy."""

from __future__ import annotations

import os
from collections.abc import Callable

INSTALL = "pip install -c constraints.txt"
GIB = 2**30
MIB = 2**20

Finding = dict[str, str]
"""``state`` (ok, warn or missing), ``found`` and ``fix``, which is empty for ok."""


def report_ok(found: str) -> Finding:
    return {"state": "ok", "found": found, "fix": ""}


def report_warning(found: str, fix: str) -> Finding:
    return {"state": "warn", "found": found, "fix": fix}


def report_missing(found: str, fix: str) -> Finding:
    return {"state": "missing", "found": found, "fix": fix}


def report_ok_if(good: bool, found: str, fix: str) -> Finding:
    """Ok if ``good``, else a warning."""
    return report_ok(found) if good else report_warning(found, fix)


def run_probe(probe: Callable[[], Finding]) -> Finding:
    """The finding of ``probe``, or a warning where it raises."""
    try:
        return probe()
    except Exception as error:  # whatever fails here must not hide the other findings
        return report_warning(f"could not be examined: {describe_error(error)}", "report it; the other findings stand")


def describe_error(error: Exception) -> str:
    """The type of an error and the first line of its message."""
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line[:160]}"


def format_gib(count: float) -> str:
    return f"{count / GIB:.1f} GiB"


def format_mib(count: float) -> str:
    return f"{count / MIB:.0f} MiB"


def count_processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
