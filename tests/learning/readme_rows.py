"""What reads the figures of a part of README's "What it learns, measured" from the folder that it was made in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Rows = list[list[str]]
"""Cells of a table, a row each."""


def read_judged(**figures: str) -> Callable[[Path], Rows]:
    """What reads a figure of the last lines of trainings in folders PLACE-SEED, of the model and its baselines."""

    def read(folder: Path) -> Rows:
        rows = []
        for place, figure in figures.items():
            for path in sorted(folder.glob(f"{place}-*/judged.json")):
                told = json.loads(path.read_text())["judged"][figure]
                rows += [[f"{path.parent.name} {name}", spell(value)] for name, value in told.items()]
        return rows

    return read


def read_pairs(folder: Path) -> Rows:
    """The figures of the evaluation of each seed, a column a predictor."""
    rows = []
    for path in sorted(folder.glob("evaluation-*/evaluation.json")):
        figures = json.loads(path.read_text())["figures"]
        rows.append([path.parent.name, *figures])
        for name in ("l1", "psnr_db", "ssim"):
            rows.append([name, *(spell(own[name]) for own in figures.values())])
    return rows


def read_json(name: str) -> Callable[[Path], Rows]:
    """What reads the numbers of a JSON file, a row each."""

    def read(folder: Path) -> Rows:
        path = folder / name
        return list_numbers(json.loads(path.read_text())) if path.is_file() else []

    return read


def read_lines(name: str) -> Callable[[Path], Rows]:
    """What reads the rows of tables in a text, which begin with a bar."""

    def read(folder: Path) -> Rows:
        path = folder / name
        lines = path.read_text().splitlines() if path.is_file() else []
        return [split_row(line) for line in lines if line.startswith("|")]

    return read


def read_evaluated(place: str, *names: str) -> Callable[[Path], Rows]:
    """What reads figures of the evaluations in folders PLACE-SEED, those within others as ``outer.inner``."""

    def read(folder: Path) -> Rows:
        rows = []
        for path in sorted(folder.glob(f"{place}-*/evaluation.json")):
            result = json.loads(path.read_text())
            for name in names:
                value: Any = result
                for key in name.split("."):
                    value = value[key]
                rows.append([f"{path.parent.name} {name}", spell(value)])
        return rows

    return read


def read_all(*readers: Callable[[Path], Rows]) -> Callable[[Path], Rows]:
    """What reads the rows of several, one after the other."""
    return lambda folder: [row for read in readers for row in read(folder)]


def list_numbers(value: Any, name: str = "") -> Rows:
    """The numbers within a value with their names, nested ones as ``outer.inner``."""
    if isinstance(value, Mapping):
        return [row for key, one in value.items() for row in list_numbers(one, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list) and all(isinstance(one, int | float) for one in value) and value:
        return [[name, *map(spell, value)]]
    return [[name, spell(value)]] if isinstance(value, int | float) else []


def spell(value: Any) -> str:
    """A number, or one with its interval, as README has them."""
    if isinstance(value, Mapping):
        mean, low, high = (value.get(name) for name in ("mean", "low", "high"))
        return spell(mean) if low is None else f"{spell(mean)} [{spell(low)}, {spell(high)}]"
    return "-" if value is None else f"{value:.4g}"


def split_row(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
