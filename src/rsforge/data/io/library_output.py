"""What Pillow, rasterio and GDAL print, warn and raise, silenced or shortened."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
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
    """Suppress what Pillow and rasterio print in the block.

    ``warnings.catch_warnings`` changes the whole process and is not thread-safe: the first thread that enters installs
    the filters, the last one that leaves restores them.
    """
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
