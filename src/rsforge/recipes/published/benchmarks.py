"""Published figures and the protocol of each, read from the table that comes with the package."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Metric:
    """How a source measures a figure: its ``definition``, and what an evaluation here calls it (``figure``).

    ``figure`` is empty where no evaluation has it; ``differs`` says why the two are not the same, empty where they are.
    """

    definition: str
    figure: str = ""
    differs: str = ""


@dataclass(frozen=True)
class Benchmark:
    """Figures that were measured alike: ``methods`` are figures by method and metric.

    ``protocol`` are facts that the result of an evaluation must have alike, by their names there; ``names_digest``
    among them is the digest of the names of what was measured. ``task`` is that of ``Evaluation``.
    """

    name: str
    task: str
    data: str
    split: str
    source: str
    year: int
    note: str
    protocol: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    methods: Mapping[str, Mapping[str, float]]

    def describe(self) -> dict[str, Any]:
        """What was measured on what, and where it is published."""
        names = ("name", "data", "split", "source", "year", "note")
        return {name: getattr(self, name) for name in names}


@cache
def read_benchmarks() -> dict[str, Benchmark]:
    """All benchmarks by name."""
    text = resources.files("rsforge.recipes.published").joinpath("benchmarks.toml").read_text("utf-8")
    return {name: _build(name, fields) for name, fields in tomllib.loads(text).items()}


def _build(name: str, fields: Mapping[str, Any]) -> Benchmark:
    metrics = {metric: Metric(**own) for metric, own in fields["metrics"].items()}
    return Benchmark(**{**fields, "name": name, "metrics": metrics})
