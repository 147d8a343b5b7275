"""Errors for users: their parts, their way between processes, and those of the system."""

from __future__ import annotations

import errno
from copy import deepcopy

import pytest

from rsforge.error_registry import REGISTRY, ExitCode
from rsforge.errors import RsforgeError, Terminated, from_os_error


def test_the_registry_says_what_the_error_does_not():
    error = RsforgeError("RSF-D001", "no images", where="--data-dir", kept="the run")
    assert error.exit == ExitCode.DATA and error.fix == REGISTRY["RSF-D001"].advice
    assert error.fields() == {"where": "--data-dir", "kept": "the run", "fix": error.fix}
    assert list(RsforgeError("RSF-D001", "", fix="a", found="b").fields()) == ["found", "fix"]


def test_an_error_goes_between_processes_whole():
    error = RsforgeError("RSF-D002", "a", where="b", found="c", kept="d", fix="e")
    copy = deepcopy(error)
    assert vars(copy) == vars(error) and str(copy) == "a"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "RSF-E001"),
        (errno.EDQUOT, "RSF-E001"),
        (errno.EACCES, "RSF-E002"),
        (errno.EROFS, "RSF-E002"),
        (errno.EIO, "RSF-E008"),
    ],
)
def test_errors_of_the_system_have_codes(number, code):
    error = from_os_error(OSError(number, "why", "/a"))
    assert (error.code, error.where) == (code, "/a") and error.what.endswith(": why")


def test_termination_is_caught_as_an_interrupt_is():
    with pytest.raises(KeyboardInterrupt):
        raise Terminated
