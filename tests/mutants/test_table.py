"""Every fault of the table can be planted: its text stands once in its file, and its tests exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.table import TABLE, Mutant, read_mutants

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = read_mutants(TABLE)


def test_there_are_many_and_each_has_a_name_of_its_own():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names)) >= 60


def test_every_original_text_occurs_once_and_its_replacement_is_python():
    wrong = []
    for mutant in MUTANTS:
        whole = (ROOT / "src" / "rsforge" / mutant.file).read_text("utf-8")
        try:
            planted = mutant.plant(whole)
            ast.parse(planted)
        except (LookupError, SyntaxError) as error:
            wrong.append(f"{mutant.name}: {error}")
        else:
            assert planted != whole, mutant.name
    assert wrong == []


def test_every_test_named_exists():
    for mutant in MUTANTS:
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            path, _, function = test.partition("::")
            text = (ROOT / "tests" / path).read_text("utf-8")
            assert not function or f"def {function}(" in text, test


@pytest.mark.parametrize(("text", "count"), [("x = 2", 0), ("x = 1\nx = 1\n", 2)])
def test_a_text_that_is_not_found_or_found_twice_is_named(text, count):
    mutant = Mutant("x is two", "a.py", "x = 1", "x = 2", ("test_a.py",))
    with pytest.raises(LookupError, match=f"a.py: x is two: .* occurs {count} times"):
        mutant.plant(text)
    assert mutant.plant("x = 1\n") == "x = 2\n"


@pytest.mark.parametrize("text", ["", "fault\tfile\n", "fault\tfile\toriginal\treplaced\ttests\na\tb\n"])
def test_a_damaged_table_is_refused(tmp_path, text):
    (tmp_path / "mutants.tsv").write_text(text)
    with pytest.raises(ValueError, match="columns"):
        read_mutants(tmp_path / "mutants.tsv")
