"""Atomic writes and folder locks: a file under its final name is complete, or it does not exist."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import shutil
import socket
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from rsforge.errors import RsforgeError
from rsforge.unicode_text import encode_json

TEMPORARY = ".tmp-"
LOCK = ".lock"


def is_temporary(path: Path) -> bool:
    """Whether ``path`` is named as what a writer has not finished, or left when it was killed."""
    return path.name.startswith(TEMPORARY)


def open_own(path: Path, flags: int) -> int:
    """Open or create a file that is written in place, as a descriptor; RSF-E008 where something else has its name.

    A link would lead the writes to a file of somebody else, and a pipe would wait for a reader for ever.
    """
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _not_own(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_own(path)
    return descriptor


def _not_own(path: Path) -> RsforgeError:
    what = f"{path.name} is a link, a folder or a pipe, where a file of this run belongs"
    return RsforgeError("RSF-E008", what, where=str(path), fix="remove it, or name another --output-dir")


def append_text(path: Path, text: str) -> None:
    """Append to a file of a run, which is no link; RSF-E008."""
    with os.fdopen(open_own(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8") as file:
        file.write(text)


def _open_temporary(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _do_nothing(operation: str) -> None:
    """Called before every durable operation; tests replace it to inject failures."""


before_operation: Callable[[str], None] = _do_nothing

warn: Callable[[str], None] = warnings.warn
"""Where weaker promises of a file system are said, once each; the command line puts its console here."""

# What file systems answer that do not have an operation at all, NFS without locks and FUSE among them.
_UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_IN_USE = {errno.EACCES, errno.EAGAIN}
_warned: set[str] = set()


def _warn_once(what: str, place: str) -> None:
    if what not in _warned:
        _warned.add(what)
        warn(f"{place}: {what}")


class _FailureKeepingFile(io.FileIO):
    """A file that keeps its first ``OSError``: archive writers on top of it raise other errors."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                before_operation("write")
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.failure = self.failure or error
            raise
        return done


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets the name ``path`` when the block ends without an error, and is removed otherwise.

    The bytes go to a temporary name in the same folder, are flushed to the disk, renamed, and the folder is
    flushed. An ``OSError`` of any write is raised as itself, with the path.
    """
    with atomic_path(path) as temporary:
        before_operation("open")
        with _FailureKeepingFile(temporary, "w+", opener=_open_temporary) as file:
            try:
                yield cast(BinaryIO, file)
            except Exception as error:
                if file.failure is not None:
                    raise file.failure from error
                raise


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """``open_atomic`` for a library that opens the file itself: the block writes and closes the yielded path."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        if temporary.is_symlink():  # a library would write through it
            temporary.unlink()
        yield temporary
        _fsync_file(temporary)
        before_operation("rename")
        temporary.replace(path)
        _fsync_folder(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def reserve(file: Path, size: int) -> None:
    """Allocate ``size`` bytes for ``file`` (posix_fallocate), for a library that aborts the process on a full disk."""
    before_operation("write")
    if hasattr(os, "posix_fallocate"):
        descriptor = os.open(file, os.O_WRONLY)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        finally:
            os.close(descriptor)


def _fsync_file(file: Path) -> None:
    _fsync(file, "fsync")


def _fsync_folder(folder: Path) -> None:
    _fsync(folder, "fsync folder")


def _fsync(path: Path, operation: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flush(descriptor, path, operation)
    finally:
        os.close(descriptor)


def flush(descriptor: int, path: Path, operation: str = "fsync") -> None:
    """Force what was written to ``path`` to the disk; a file system that cannot is said once, other failures raised."""
    try:
        before_operation(operation)
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            error.filename = error.filename or str(path)
            raise
        reason = f"this file system cannot force files to the disk ({error.strerror})"
        _warn_once(f"{reason}: a power cut may lose the newest of them", str(path))


def write_bytes(path: Path, data: bytes) -> None:
    with open_atomic(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, encode_json(json.dumps(value, indent=2, ensure_ascii=False) + "\n"))


def copy_file(source: Path, target: Path) -> None:
    """Write the bytes of ``source`` to ``target``, atomically: what happens to one later does not reach the other."""
    with source.open("rb") as reader, open_atomic(target) as writer:
        shutil.copyfileobj(reader, writer)


def link_or_copy(source: Path, target: Path) -> None:
    """Give the committed file ``source`` the second name ``target``, atomically.

    A hard link where the file system supports it (committed files are never changed in place), else a copy.
    """
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    temporary.unlink(missing_ok=True)
    try:
        before_operation("link")
        os.link(source, temporary)
    except OSError:
        copy_file(source, target)
        return
    before_operation("rename")
    temporary.replace(target)
    # Renaming one link of a file onto another is a no-op that leaves the first behind.
    temporary.unlink(missing_ok=True)
    _fsync_folder(target.parent)


def commit_files(finished: Iterable[tuple[Path, Path]]) -> None:
    """Give temporary files their final names in the same folder, all their contents flushed to the disk before.

    The folder is flushed once for all of them; a process that is killed leaves complete files or temporary ones.
    """
    pairs = list(finished)
    for temporary, _ in pairs:
        _fsync_file(temporary)
    for temporary, final in pairs:
        before_operation("rename")
        temporary.replace(final)
    for folder in {final.parent for _, final in pairs}:
        _fsync_folder(folder)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for this process; RSF-E003 names the process that holds it already.

    On a file system without locks a warning stands in for the lock.
    """
    # A POSIX record lock: loader workers that outlive a killed trainer would inherit one of flock().
    descriptor = open_own(folder / LOCK, os.O_RDWR)
    try:
        if _take_lock(descriptor, folder):
            _write_holder(descriptor, folder / LOCK)
        yield
    finally:
        os.close(descriptor)


def _take_lock(descriptor: int, folder: Path) -> bool:
    """Whether the lock was taken; False where there are no locks."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _IN_USE:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            raise RsforgeError("RSF-E003", f"the run folder is in use by {holder}", where=str(folder)) from None
        if error.errno not in _UNSUPPORTED:
            error.filename = str(folder / LOCK)
            raise
        reason = f"this file system has no locks ({error.strerror})"
        _warn_once(f"{reason}: start no second run in a folder that is in use", str(folder))
        return False
    return True


def _write_holder(descriptor: int, path: Path) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    except OSError as error:
        error.filename = str(path)
        raise
