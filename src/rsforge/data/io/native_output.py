"""What Pillow, libtiff, rasterio and GDAL print, warn and raise, silenced or shortened."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Without a handler of its own Pillow's log messages about single files would be printed to the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def first_line(error: Exception) -> str:
    """The first line of a library's message without its full stop, or the type of the error where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


class _Silence:
    """The state that all threads share: how many are inside ``silence_libraries``, and what restores the hooks."""

    lock = threading.Lock()
    readers = 0
    undo = ExitStack()


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Suppress what Pillow, libtiff and rasterio print in the block.

    ``warnings.catch_warnings`` changes the whole process and is not thread-safe: the first thread that enters installs
    the filters, the last one that leaves restores them.
    """
    _silence_libtiff()
    with _Silence.lock:
        if _Silence.readers == 0:
            _install_filters()
        _Silence.readers += 1
    try:
        yield
    finally:
        with _Silence.lock:
            _Silence.readers -= 1
            if _Silence.readers == 0:
                _Silence.undo.close()


@lru_cache
def _silence_libtiff() -> None:
    """Take away, for the whole process, the functions by which Pillow's libtiff prints on the terminal.

    Pillow raises an exception of its own where libtiff fails. A Pillow that was not installed from a wheel may keep its
    libtiff elsewhere: then the lines are printed.
    """
    for path in _find_libtiff():
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            for set_handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
                set_handler(None)


def _find_libtiff() -> list[Path]:
    """The shared library that lies in a wheel of Pillow: in one folder on Linux, in another on macOS."""
    spec = find_spec("PIL")
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    return [*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")]


def _install_filters() -> None:
    _Silence.undo.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"PIL\b")
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    for hook in ("excepthook", "unraisablehook"):
        _Silence.undo.callback(setattr, sys, hook, getattr(sys, hook))
    # Compiled code prints what it cannot raise through the first hook, then passes it to the second.
    sys.excepthook = _ignore
    sys.unraisablehook = partial(_filter_unraisable, sys.unraisablehook)


def _ignore(*error: object) -> None: ...


def _filter_unraisable(former: Callable[[Any], object], event: Any) -> None:
    # rasterio decodes GDAL's messages as UTF-8, but they may quote the bytes of a damaged file.
    if not (isinstance(event.exc_value, UnicodeDecodeError) and "rasterio" in str(event.object)):
        former(event)
