"""Files that are complete or absent, leftovers of killed writers, and locks of folders."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rsforge import durable
from rsforge.errors import RsforgeError

DEAD = 99_999_999  # more than the system gives to any process


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_there_after_the_block_alone(tmp_path):
    path = tmp_path / "a"
    with durable.open_atomic(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole" and names(tmp_path) == {"a"}


@pytest.mark.parametrize("operation", ["open", "write", "fsync", "rename"])
def test_a_failure_keeps_the_former_file_and_names_it(tmp_path, monkeypatch, operation):
    path = tmp_path / "a"
    durable.write_text(path, "former")

    def fail(called: str) -> None:
        if called == operation:
            raise OSError(5, "broken")

    monkeypatch.setattr(durable, "before_operation", fail)
    with pytest.raises(OSError, match="broken") as caught:
        durable.write_json(path, {"a": 1})
    assert caught.value.filename == str(path)
    assert path.read_text() == "former" and names(tmp_path) == {"a"}


def test_names_of_bytes_that_are_no_characters_come_back_from_json(tmp_path):
    value = {"name": os.fsdecode(b"\xff.png"), "text": "é \\udcff"}
    durable.write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


def test_the_first_failure_of_a_write_is_raised_not_what_follows_from_it(tmp_path, monkeypatch):
    def fail(called: str) -> None:
        if called == "write":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", fail)
    with pytest.raises(OSError, match="No space"), durable.open_atomic(tmp_path / "a") as file:
        try:
            file.write(b"a")
        except OSError:
            raise ValueError("the archive is damaged") from None


def test_a_second_name_is_a_link_or_a_copy(tmp_path, monkeypatch):
    durable.write_text(tmp_path / "a", "text")
    durable.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")
    durable.link_or_copy(tmp_path / "a", tmp_path / "b")

    def no_link(*_: object) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    durable.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "a").samefile(tmp_path / "b") and (tmp_path / "b").read_text() == "text"
    assert names(tmp_path) == {"a", "b"}


def test_finished_files_get_their_names_together(tmp_path):
    pairs = []
    for name in "ab":
        temporary = tmp_path / f"{durable.TEMPORARY}{name}"
        temporary.write_text(name)
        pairs.append((temporary, tmp_path / name))
    durable.commit_files(pairs)
    assert names(tmp_path) == {"a", "b"}


def test_a_folder_is_locked_against_other_processes(tmp_path):
    code = "import sys; from pathlib import Path; from rsforge import durable\n"
    code += "with durable.lock_folder(Path(sys.argv[1])): pass"
    line = [sys.executable, "-c", code, str(tmp_path)]
    with durable.lock_folder(tmp_path):
        found = subprocess.run(line, capture_output=True, text=True, check=False)
    assert found.returncode == 1 and f"in use by pid {os.getpid()}" in found.stderr
    assert subprocess.run(line, check=False).returncode == 0


def test_reserving_makes_room(tmp_path):
    (tmp_path / "a").touch()
    durable.reserve(tmp_path / "a", 4096)
    assert (tmp_path / "a").stat().st_size == 4096


def test_a_lock_that_is_held_is_an_error_with_a_code(tmp_path, monkeypatch):
    def taken(*_: object) -> None:
        raise OSError(11, "busy")

    monkeypatch.setattr(durable.fcntl, "lockf", taken)
    with pytest.raises(RsforgeError) as caught, durable.lock_folder(tmp_path):
        pass
    assert caught.value.code == "RSF-E003" and "another process" in caught.value.what


@pytest.fixture
def warned(monkeypatch):
    lines = []
    monkeypatch.setattr(durable, "warn", lines.append)
    monkeypatch.setattr(durable, "_warned", set())
    return lines


def failing(number):
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


UNSUPPORTED = [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS]


@pytest.mark.parametrize("number", UNSUPPORTED)
def test_a_file_system_without_locks_is_one_warning(tmp_path, monkeypatch, warned, number):
    monkeypatch.setattr(durable.fcntl, "lockf", failing(number))
    for _ in range(2):
        with durable.lock_folder(tmp_path):
            pass
    assert len(warned) == 1 and "no locks" in warned[0] and str(tmp_path) in warned[0]


@pytest.mark.parametrize("number", UNSUPPORTED)
def test_a_file_system_that_flushes_nothing_is_one_warning(tmp_path, monkeypatch, warned, number):
    monkeypatch.setattr(durable.os, "fsync", failing(number))
    for text in ("a", "b"):
        durable.write_text(tmp_path / "a", text)
    assert (tmp_path / "a").read_text() == "b"
    assert len(warned) == 1 and "power cut" in warned[0]


def test_other_failures_of_a_lock_name_its_file(tmp_path, monkeypatch, warned):
    monkeypatch.setattr(durable.fcntl, "lockf", failing(errno.EIO))
    with pytest.raises(OSError, match="lock") as caught, durable.lock_folder(tmp_path):
        pass
    assert caught.value.errno == errno.EIO and not warned


def test_a_full_disk_under_a_lock_names_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(durable.os, "pwrite", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space") as caught, durable.lock_folder(tmp_path):
        pass
    assert caught.value.filename == str(tmp_path / durable.LOCK)


def test_room_is_not_reserved_where_the_file_system_cannot(tmp_path, monkeypatch):
    monkeypatch.setattr(durable.os, "posix_fallocate", failing(errno.EOPNOTSUPP))
    (tmp_path / "a").touch()
    durable.reserve(tmp_path / "a", 4096)


def test_what_is_written_in_place_is_no_link_and_no_pipe(tmp_path):
    """A lock or a journal that is a link of the user would be emptied or written to, and a pipe waits for ever."""
    (tmp_path / "precious").write_text("kept")
    (tmp_path / durable.LOCK).symlink_to("precious")
    with pytest.raises(RsforgeError) as caught, durable.lock_folder(tmp_path):
        pass
    assert caught.value.code == "RSF-E008"
    (tmp_path / "link").symlink_to("precious")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(RsforgeError, match="is a link, a folder or a pipe"):
            durable.append_text(tmp_path / name, "row")
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_link_under_a_temporary_name_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / f"{durable.TEMPORARY}{os.getpid()}-a.txt").symlink_to("precious")
    durable.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "precious").read_text() == "kept" and (tmp_path / "a.txt").read_text() == "new"
