"""The faults of mutants.tsv: one line each, a text of one source file that another text takes the place of.

The columns are separated by tabs: what is wrong, the file below src/rsforge, its text, the text that replaces it, and
the test files or tests below tests/ that should fail.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("mutants.tsv")
COLUMNS = ["fault", "file", "original", "replaced", "tests"]


@dataclass(frozen=True)
class Mutant:
    """A fault that tests should notice; ``tests`` are paths or names of tests below tests/."""

    fault: str
    file: str
    original: str
    replaced: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.fault}"

    def plant(self, text: str) -> str:
        """``text`` of the file with the fault; ``LookupError`` unless the original text occurs once."""
        count = text.count(self.original)
        if count != 1:
            raise LookupError(f"{self.name}: its original text occurs {count} times, not once: {self.original}")
        return text.replace(self.original, self.replaced)


def read_mutants(table: Path) -> list[Mutant]:
    """The rows of a table."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or rows[0] != COLUMNS:
        raise ValueError(f"{table} does not begin with the columns {', '.join(COLUMNS)}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(COLUMNS):
            raise ValueError(f"{table}:{number} has {len(row)} columns, not {len(COLUMNS)}")
    return [Mutant(*row[:4], tuple(row[4].split())) for row in rows[1:]]
