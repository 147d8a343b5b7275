"""The tables of docs/ name tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
TASKS = [(ROOT / "docs" / name).read_text("utf-8") for name in ("sar-to-optical.md", "hyperspectral.md")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", "".join([PAGE, *TASKS]))))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_a_page_names_exists(path, name):
    functions = [n.name for n in ast.parse((ROOT / path).read_text("utf-8")).body if isinstance(n, ast.FunctionDef)]
    assert name in functions


@pytest.mark.parametrize("page", TASKS, ids=lambda page: page.splitlines()[0])
def test_every_row_of_a_task_names_a_test_and_files_that_exist(page):
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) > 30 and all(".py::test_" in row or row.endswith(("test |", "notice it |")) for row in rows)
    assert all((ROOT / path).is_file() for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", page))


def test_every_row_of_the_page_names_a_test_and_a_result():
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ")]
    faults = [row for row in rows if row[0].strip() != "fault"]
    assert len(faults) > 20
    for fault, promise, test, result in faults:
        assert fault.strip() and promise.strip() and "::" in test and result.strip()


def test_every_session_that_the_page_names_is_there():
    sessions = set(re.findall(r"nox -s (\w+)", PAGE))
    defined = {
        n.name for n in ast.parse((ROOT / "noxfile.py").read_text("utf-8")).body if isinstance(n, ast.FunctionDef)
    }
    assert sessions and sessions <= defined
