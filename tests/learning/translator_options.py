"""Trains translators on real pairs, alike but for some options, and compares them pair by pair with the first.

Usage: ``python -m tests.learning.translator_options SAR_OPTICAL_FOLDER [--folder PATH] [--cases NAME ...]
[--seeds N ...] [--size PIXELS] [--epochs N] [--options "WORDS" ...]``. The first is the folder of
tests.learning.real_pairs, whose cases these are, with ``sih1733_rgb_patches`` for ``scenes``: there the pairs are
judged once more whose SAR images are stretched patch by patch. What was measured is kept in ``--folder``. Prints a
table and writes it to table.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np

from rsforge.compat import ensure_torchvision
from rsforge.metrics.bootstrap import mean_intervals
from tests.learning.commands import call
from tests.learning.real_pairs import CASES, TILE, WRITTEN, Case

LEVELS = ("--sar-level keep", "--sar-level both")
Errors = dict[str, float]
"""The mean absolute error of each pair."""


def list_sides(case: Case, name: str, folder: Path, real: Path, seed: int) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """What is measured: the folder of the pairs, and the options that choose among them."""
    gray = ("--allow-gray-optical",) if name == "terrains" else ()
    sides = {"choosing": (case.data, ("--side", "val", *gray)), "judged": (case.judged, case.measured)}
    if name == "scenes":
        sides["stretched"] = (tile_stretched(real, folder / "stretched", 2 - seed % 2), ("--side", "all"))
    return sides


def tile_stretched(real: Path, data: Path, scene: int) -> Path:
    """The stretched patches of the scene that is judged, cut into tiles of the size of all others."""
    source = real / "sih1733_rgb_patches" / f"scene{scene}"
    if not data.is_dir():
        call("data", "tile", "--sar", source / "s1", "--optical", source / "s2", "--output-dir", data, "--size", TILE,
             "--quiet")  # fmt: skip
    return data


def measure(
    case: Case, name: str, place: Path, words: list[str], sides: dict[str, tuple[Path, tuple[str, ...]]]
) -> None:
    """Train into ``place`` and evaluate there, as far as that was not done before."""
    model = place / "best_model.pt"
    if not (place / "done").exists():
        call("cyclegan", "train", "--data-dir", case.data, "--config", "cyclegan-tiny", "--output-dir", place,
             *case.options, *words, *WRITTEN)  # fmt: skip
        (place / "done").touch()
    for side, (data, measured) in sides.items():
        if not (place / side / "per_image.csv").exists():
            call("cyclegan", "evaluate", "--checkpoint", model, "--data-dir", data, *measured, "--output-dir",
                 place / side, "--overwrite", "--quiet")  # fmt: skip


def read_errors(place: Path) -> Errors:
    with (place / "per_image.csv").open(newline="") as file:
        return {row["name"]: float(row["l1"]) for row in csv.DictReader(file)}


def describe(own: Errors, other: Errors) -> str:
    """A mean, and what it is below that of ``own`` over the same pairs, with its 95 % interval."""
    gains = np.array([[own[name] - error] for name, error in other.items()])
    low, high = mean_intervals(gains, list(other), resamples=1000, confidence=0.95, seed=0)[0]
    return f"{np.mean(list(other.values())):.4f} ({gains.mean():+.4f} [{low:+.4f}, {high:+.4f}])"


def list_rows(places: list[Path], sides: list[str], name: str, seed: int) -> list[str]:
    """A row for each side: pairs, the linear baseline, the first options, and all others beside them."""
    rows = []
    for side in sides:
        first, *others = (read_errors(place / side) for place in places)
        linear = json.loads((places[0] / side / "evaluation.json").read_text())["figures"]["linear_sar"]["l1"]["mean"]
        cells = [f"{np.mean(list(first.values())):.4f}", *(describe(first, other) for other in others)]
        rows.append(" | ".join(["", f"{name}, {len(first)} {side}", str(seed), f"{linear:.4f}", *cells, ""]).strip())
    return rows


def make_parser() -> argparse.ArgumentParser:
    """The options of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(".nox/translator_options"))
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--options", nargs="+", default=list(LEVELS))
    return parser


def main() -> int:
    parsed = make_parser().parse_args()
    ensure_torchvision()
    head = ["pairs", "seed", "linear_sar", *(f"`{options}`" for options in parsed.options)]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    print("\n".join(rows), flush=True)
    for name in parsed.cases:
        for seed in parsed.seeds:
            folder = parsed.folder / f"{name}{seed}"
            case, places = CASES[name](parsed.real, folder, seed), []
            sides = list_sides(case, name, folder, parsed.real, seed)
            for options in parsed.options:
                words = [*options.split(), "--image-size", str(parsed.size), "--epochs", str(parsed.epochs)]
                places.append(folder / "-".join(word.strip("-") for word in words))
                measure(case, name, places[-1], words, sides)
            rows += (found := list_rows(places, list(sides), name, seed))
            print("\n".join(found), flush=True)
    (parsed.folder / "table.md").write_text("\n".join([*rows, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
