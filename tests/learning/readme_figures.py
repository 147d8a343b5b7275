"""Remakes the figures of README's "What it learns, measured", and prints them beside those that it states.

Usage: ``python -m tests.learning.readme_figures [--only NAME ...] [--all] [--seeds N] [--folder PATH]
[--tiles FOLDER] [--pairs FOLDER] [--cubes FOLDER] [--vgg-weights FILE] [--dry-run | --update]``. The folders are of
real data: tiles of RSSCN7, pairs as tests.learning.real_pairs takes them, cubes as tests.learning.real_spectra does.
Two parts run at a time. ``--all`` also remakes docs/measurements.md, which takes hours more. What was made is kept in
the folder; a line that ended is not run again, and a folder of other sources is refused. ``--dry-run`` only says the
lines and whether they can be read; ``--update`` writes what both texts state to the file that a test compares with
them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

from rsforge.cli import bridge
from rsforge.cli.main import run
from rsforge.models.vgg import find_vgg16
from tests.learning.commands import BELOW_AIM
from tests.learning.readme_parts import PARTS, Part
from tests.learning.readme_rows import Rows, split_row

ROOT = Path(__file__).resolve().parents[2]
STATED = Path(__file__).with_suffix(".json")
LONGER = ROOT / "docs" / "measurements.md"
HEADING, WORKERS = "## What it learns, measured", 2
SOURCES = ("src/rsforge", "tests/learning")


def read_section(readme: str) -> str:
    """The section of README that is remade."""
    return readme.split(HEADING, 1)[1].split("\n## ", 1)[0]


def list_tables(section: str) -> list[tuple[str, Rows]]:
    """The first line of each table, and the cells of the lines below its rule."""
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    found = []
    for text in tables:
        first, _, *rows = text.splitlines()
        found.append((first, [split_row(row) for row in rows]))
    return found


def read_texts() -> dict[bool, str]:
    """The section of README, and the longer measurements."""
    return {False: read_section((ROOT / "README.md").read_text("utf-8")), True: LONGER.read_text("utf-8")}


def read_stated(texts: Mapping[bool, str]) -> dict[str, Any]:
    """What is stated of each part: its tables by their first line, and the sentences that are named there."""
    stated = {}
    for part in PARTS:
        tables, words = list_tables(texts[part.longer]), " ".join(texts[part.longer].split())
        own = {first: rows for first, rows in tables if part.headings and first.startswith(part.headings)}
        stated[part.name] = {"tables": own, "texts": [text for text in part.texts if text in words]}
    return stated


def share_parts(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts of each worker, so that the last of them ends as early as it can; the longest first."""
    longest_first = sorted(parts, key=lambda part: -part.minutes)

    def divide(workers: Sequence[int]) -> list[list[Part]]:
        chosen = list(zip(longest_first, workers, strict=True))
        return [[part for part, own in chosen if own == worker] for worker in range(WORKERS)]

    return min(map(divide, itertools.product(range(WORKERS), repeat=len(parts))), key=expect_minutes)


def expect_minutes(shares: Sequence[Sequence[Part]]) -> float:
    """How long workers take for their parts."""
    return max(sum(part.minutes for part in own) for own in shares)


def choose_seeds(part: Part, count: int | None) -> list[int]:
    """The seeds that are stated, the first ``count`` of them, or more that follow them."""
    if count is None:
        return list(part.seeds)
    return [*part.seeds, *range(part.seeds[-1] + 1, part.seeds[-1] + 1 + count)][:count]


def run_part(part: Part, given: Mapping[str, str], seeds: Sequence[int]) -> dict[str, Any]:
    """Run the lines that have not ended yet; the minutes of each, and what failed.

    What they say lies in said.txt, that of a failed line in failed.txt, which lines have ended in ended.json.
    """
    folder = Path(given["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "ended.json"
    ended: dict[str, float] = json.loads(record.read_text()) if record.is_file() else {}
    for words in part.commands(given, seeds):
        line = shlex.join(words)
        if line in ended:
            continue
        began = time.monotonic()
        done = subprocess.run(
            to_argv(words), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=make_environment(), check=False,
        )  # fmt: skip
        failed = has_failed(words, done.returncode)
        with (folder / ("failed.txt" if failed else "said.txt")).open("a") as said:
            said.write(done.stdout)
        if failed:
            return {"failed": f"exit {done.returncode}: {line}", "minutes": sum(ended.values())}
        ended[line] = (time.monotonic() - began) / 60
        record.write_text(json.dumps(ended, indent=1))
    return {"failed": "", "minutes": sum(ended.values())}


def has_failed(words: Sequence[str], code: int) -> bool:
    """Whether a line ended without its figures: a script has them also where they miss its aim."""
    return code != 0 and (code != BELOW_AIM or words[0] == "rsforge")


def digest_sources() -> str:
    """A digest of the package and of the scripts of this folder, which decide about figures."""
    paths = [path for place in SOURCES for path in (ROOT / place).rglob("*") if path.suffix in (".py", ".toml")]
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if not path.name.startswith("test_")):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def check_sources(folder: Path) -> None:
    """Note the sources of a new folder; the script ends where it is one of other sources."""
    record, own = folder / "sources.txt", digest_sources()
    if record.is_file() and record.read_text() != own:
        sys.exit(f"{folder} holds figures of other sources: name another --folder, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    record.write_text(own)


def to_argv(words: Sequence[str]) -> list[str]:
    """The process that a line is: the command, or a script of this folder."""
    module = ["rsforge"] if words[0] == "rsforge" else [f"tests.learning.{words[0]}"]
    return [sys.executable, "-m", *module, *words[1:]]


def make_environment() -> dict[str, str]:
    """One thread: two parts run at a time."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


class ReadSettings(Exception):  # noqa: N818
    """The line was read; nothing of it is done."""


def check_line(words: Sequence[str]) -> str:
    """Why a line cannot be read; empty where it can."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            if words[0] != "rsforge":
                script = importlib.import_module(f"tests.learning.{words[0]}")
                _, more = script.make_parser().parse_known_args(words[1:])
                if not more:
                    return ""
                words = ["rsforge", *script.PASSED_ON.split(), *more]
            return "" if was_read(words[1:]) else said.getvalue().strip()
        except SystemExit:
            return said.getvalue().strip() or "it cannot be read"


def was_read(argv: Sequence[str]) -> bool:
    """Whether the command takes these words; it does nothing else."""
    read, seen = bridge._read_settings, []

    def stop(*given: Any) -> Any:
        seen.append(read(*given))
        raise ReadSettings

    with mock.patch.object(bridge, "_read_settings", stop):
        run(list(argv))
    return bool(seen)


def print_part(part: Part, stated: Mapping[str, Any], made: Rows, outcome: Mapping[str, Any]) -> None:
    """What is stated and what was made now, below each other."""
    print(f"\n== {part.name}")
    for heading, rows in stated["tables"].items():
        print("stated", heading)
        print(*("       | " + " | ".join(row) + " |" for row in rows), sep="\n")
    for text in stated["texts"]:
        print("stated", text)
    for row in made:
        print("now    | " + " | ".join(row) + " |")
    print(f"{outcome['minutes']:.1f} minutes" + (f"; {outcome['failed']}" if outcome["failed"] else ""), flush=True)


def make_parser() -> argparse.ArgumentParser:
    """The options of this script."""
    names = [part.name for part in PARTS if part.lines]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=[])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--folder", type=Path, default=Path(".nox/figures"))
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--cubes", type=Path)
    parser.add_argument("--vgg-weights", type=Path, dest="vgg", default=find_vgg16())
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--update", action="store_true")
    return parser


def plan(own: argparse.Namespace) -> tuple[list[Part], list[str]]:
    """The parts to run, and a sentence for each of the others."""
    wanted = [part for part in PARTS if part.name in own.only or not own.only]
    reasons = [f"{part.name} is not remade: {part.reason}" for part in wanted if not part.lines]
    chosen = []
    for part in (part for part in wanted if part.lines):
        missing = [need for need in part.needs if getattr(own, need) is None and not own.dry_run]
        if missing:
            options = " and ".join("--vgg-weights" if need == "vgg" else f"--{need}" for need in missing)
            reasons.append(f"{part.name} is left out: it needs {options}")
        elif part.longer and not (own.all or own.only or own.dry_run):
            reasons.append(f"{part.name} is left out: it is of docs/measurements.md; --all runs it")
        else:
            chosen.append(part)
    return chosen, reasons


def give_places(part: Part, own: argparse.Namespace) -> dict[str, str]:
    """What the lines of a part name."""
    places = {need: str(getattr(own, need) or need.upper()) for need in ("tiles", "pairs", "cubes", "vgg")}
    return {name: str(Path(place).absolute()) for name, place in places.items()} | {
        "folder": str((own.folder / part.name).absolute())
    }


def check_lines(parts: Iterable[Part], own: argparse.Namespace) -> int:
    """Print the lines of each part; 1 where one cannot be read."""
    faults = 0
    for part in parts:
        for words in part.commands(give_places(part, own), choose_seeds(part, own.seeds)):
            reason = check_line(words)
            print(f"{part.name}: {shlex.join(words)}" + (f"\n  cannot be read: {reason}" if reason else ""))
            faults += bool(reason)
    return min(faults, 1)


def main(argv: Sequence[str] | None = None) -> int:
    own = make_parser().parse_args(argv)
    if own.update:
        STATED.write_text(json.dumps(read_stated(read_texts()), indent=1) + "\n", "utf-8")
        return 0
    chosen, reasons = plan(own)
    print(*reasons, sep="\n")
    if own.dry_run:
        return check_lines(chosen, own)
    check_sources(own.folder)
    shares = share_parts(chosen)
    print(f"about {expect_minutes(shares):.0f} minutes with the seeds that are stated", flush=True)
    stated, began = json.loads(STATED.read_text("utf-8")), time.monotonic()
    with contextlib.ExitStack() as stack:
        jobs = {}
        for parts in shares:
            worker = stack.enter_context(ThreadPoolExecutor(1))
            jobs |= {
                part.name: worker.submit(run_part, part, give_places(part, own), choose_seeds(part, own.seeds))
                for part in parts
            }
        for part in chosen:
            outcome = jobs[part.name].result()
            made = part.read(own.folder / part.name) if part.read is not None else []
            print_part(part, stated[part.name], made, outcome)
    print(f"\n{(time.monotonic() - began) / 60:.1f} minutes in all")
    return int(any(job.result()["failed"] for job in jobs.values()))


if __name__ == "__main__":
    sys.exit(main())
