"""Every exception becomes the one form that a user may see."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from typing import Any

from rsforge import __version__
from rsforge.cli.leaves import nearest
from rsforge.errors import RsforgeError, Terminated, from_os_error, from_worker_error

_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "alloc_failed")
_PEER = ("connection closed by peer", "connection reset by peer", "broken pipe")


def to_failure(error: BaseException, command: str) -> RsforgeError:
    """``error`` as an expected failure, or as a bug whose traceback lies in a log file (RSF-B001)."""
    if isinstance(error, RsforgeError):
        return error
    if hasattr(error, "format_message"):
        return _usage(error)
    if _is_memory(error):
        return RsforgeError("RSF-E004", "out of memory", found=_first_line(error))
    if isinstance(error, OSError):
        return from_os_error(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "rsforge").split(".")[0] != "rsforge":
        return RsforgeError("RSF-E006", f"the package {error.name} is missing")
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # of Path.resolve() before 3.13
        return RsforgeError("RSF-E008", "a link leads to itself", where=_first_line(error).partition("'")[2].strip("'"))
    if isinstance(error, RuntimeError) and (failure := from_worker_error(error)) is not None:
        return failure
    if isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _PEER):
        return RsforgeError("RSF-E009", "another training process died", found=_first_line(error))
    return _bug(error, command)


def interruption(error: KeyboardInterrupt, command: str) -> RsforgeError:
    """What SIGINT or SIGTERM did to ``command``, which goes on or begins anew when it is given again."""
    code, what = ("RSF-I143", "terminated") if isinstance(error, Terminated) else ("RSF-I130", "interrupted")
    return RsforgeError(code, what, kept="every file that was finished", fix=command)


def _is_memory(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"MemoryError", "OutOfMemoryError"}:
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _MEMORY)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


def _reason(error: BaseException) -> str:
    """The first line of ``error``; of one that a loader's process met, whose traceback comes first, the last."""
    if not str(error).startswith("Caught "):
        return _first_line(error)
    return str(error).splitlines()[-1].removeprefix(f"{type(error).__name__}: ")[:300]


def _usage(error: Any) -> RsforgeError:
    command = getattr(getattr(error, "ctx", None), "command_path", "rsforge")
    option = getattr(error, "option_name", "")
    near = nearest(option, getattr(error, "possibilities", None) or [])
    # Typer's own list of near options is shorten to the nearest.
    message = (error.message if near else error.format_message()).strip()
    hint = f"did you mean {near}? " if near else ""
    return RsforgeError("RSF-U002", message.rstrip("."), where=command, fix=f"{hint}see {command} --help")


def _bug(error: BaseException, command: str) -> RsforgeError:
    what = f"{type(error).__name__}: {_reason(error)}"
    try:
        descriptor, log = tempfile.mkstemp(prefix="rsforge-bug-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{command}\nrsforge {__version__}, Python {sys.version}, {platform.platform()}\n\n")
            traceback.print_exception(error, file=file)
    except OSError as failure:
        log = f"no log could be written: {failure.strerror}"
    return RsforgeError("RSF-B001", what, where=f"log {log}")
