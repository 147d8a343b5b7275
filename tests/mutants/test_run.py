"""What the runner says of a small package with mutants of every fate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import run

TABLE = (
    "fault\tfile\toriginal\treplaced\ttests\n"
    "wrong sum\ta.py\ta + b\ta - b\ttest_a.py\n"
    "wrong default\ta.py\tb=0\tb=1\ttest_a.py\n"
    "nothing to replace\ta.py\ta * b\ta\ttest_a.py\n"
)


def test_survivors_and_what_cannot_be_planted_fail_by_name_and_the_checkout_stays(tmp_path):
    package, tests = tmp_path / "src" / "rsforge", tmp_path / "tests"
    for folder in (package, tests / "mutants"):
        folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "a.py").write_text("def add(a, b=0):\n    return a + b\n")
    (tests / "test_a.py").write_text("from rsforge.a import add\n\ndef test_add():\n    assert add(1, 2) == 3\n")
    (tests / "mutants" / "mutants.tsv").write_text(TABLE)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants.run", "--cold", "--root", str(tmp_path)],
        capture_output=True, text=True, timeout=120, cwd=run.ROOT,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "a.py: wrong sum: caught" in done.stdout and "1 of 3 mutants caught" in done.stdout
    missed = done.stdout.splitlines()[3:5]
    assert missed[0] == "a.py: wrong default: survived" and "occurs 0 times" in missed[1]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_tests_that_fail_without_a_fault_show_nothing(tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text("FAILED test_a.py")
    for outcome in set(run.OUTCOMES.values()) - {"survived"}:
        monkeypatch.setattr(run, "run_tests", lambda *_, told=outcome: told)
        with pytest.raises(SystemExit, match=f"FAILED test_a.py\nwithout any fault: {outcome}"):
            run.check_without_faults(Path(), Path(), [], log)
