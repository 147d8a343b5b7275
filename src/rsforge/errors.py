"""The exceptions that end a command with a message for the user instead of a traceback."""

from __future__ import annotations

import errno

from rsforge.error_registry import REGISTRY, ExitCode


class RsforgeError(Exception):
    """An expected failure, with a message for the user instead of a traceback.

    ``what`` is one sentence; ``where`` names file, row or option; ``found`` is the offending value; ``kept`` says which
    part of the work is safe; ``fix`` is the next command or remedy (the registry's advice when empty). ``result`` is
    what the command computed before it failed, printed to stdout.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str = "",
        found: str = "",
        kept: str = "",
        fix: str = "",
        result: object = None,
    ) -> None:
        super().__init__(what)
        self.result = result
        self.code = code
        self.what = what
        self.where = where
        self.found = found
        self.kept = kept
        self.fix = fix or REGISTRY[code].advice

    @property
    def exit(self) -> ExitCode:
        return REGISTRY[self.code].exit

    def fields(self) -> dict[str, str]:
        """The parts of the message that are not empty, in the order in which they are printed."""
        parts = {"where": self.where, "found": self.found, "kept": self.kept, "fix": self.fix}
        return {k: v for k, v in parts.items() if v}

    def __reduce__(self) -> tuple[object, ...]:
        # A loader worker sends an error to the trainer as these parts, and the trainer builds it anew.
        return _rebuild, (self.code, self.what, self.where, self.found, self.kept, self.fix)


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised as SIGINT is, so that the same ``except`` blocks clean up after both."""


def _rebuild(code: str, what: str, where: str, found: str, kept: str, fix: str) -> RsforgeError:
    return RsforgeError(code, what, where=where, found=found, kept=kept, fix=fix)


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHARED_MEMORY = ("shared memory", "file </torch_")
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def from_os_error(error: OSError) -> RsforgeError:
    """The environment error for an ``OSError``: RSF-E001 full disk, RSF-E002 permission, RSF-E008 anything else."""
    if error.errno in _FULL:
        code = "RSF-E001"
    elif error.errno in _DENIED:
        code = "RSF-E002"
    else:
        code = "RSF-E008"
    where = str(error.filename or "")
    return RsforgeError(code, f"{REGISTRY[code].title}: {error.strerror or error}", where=where)


def from_worker_error(error: RuntimeError) -> RsforgeError | None:
    """RSF-E009 for what torch raises when a process of a loader died or cannot share memory; None for other errors."""
    text = str(error)
    reasons = [line.strip() for line in text.splitlines() if any(sign in line for sign in _SHARED_MEMORY)]
    if reasons:
        return small_shared_memory(reasons[-1])
    if text.startswith("DataLoader worker"):
        return RsforgeError("RSF-E009", "a process that reads data died", found=text.splitlines()[0])
    return None


def small_shared_memory(found: str) -> RsforgeError:
    """RSF-E009: processes that read data hand their batches over in shared memory, and it is full."""
    return RsforgeError(
        "RSF-E009", "shared memory is too small for the processes that read data", where="/dev/shm", found=found,
        fix="use --num-workers 0, a smaller --batch-size, or a larger /dev/shm (docker run --shm-size 1g)",
    )  # fmt: skip
