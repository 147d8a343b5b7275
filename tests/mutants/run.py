"""Plants the faults of mutants.tsv one by one and shows that the tests named beside each of them fail.

Usage: ``python -m tests.mutants.run [--root FOLDER] [--cold] [WORD ...]``. With words, only the mutants whose file or
fault holds one of them. Faults are planted in a copy of the package; the checkout is only read. Exits with 1 and the
names of mutants that no test caught, that cannot be planted, or whose tests ended otherwise than by failing.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import importlib
import multiprocessing
import os
import py_compile
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, settings

from tests.mutants.table import Mutant, read_mutants

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300  # of one mutant
TIMEOUT_WITHOUT_FAULTS_S = 3000
WRONG_PACKAGE = 70
FINISHED = 100  # added to pytest's exit code, since a process that fails otherwise ends with 1 too
OUTCOMES = {
    FINISHED + pytest.ExitCode.OK: "survived",
    FINISHED + pytest.ExitCode.TESTS_FAILED: "caught",
    FINISHED + pytest.ExitCode.INTERRUPTED: "its tests could not be collected",
    FINISHED + pytest.ExitCode.NO_TESTS_COLLECTED: "it has no tests",
    WRONG_PACKAGE: "the package under test is not the copy",
}
LIBRARIES = ("torch", "torchvision", "torchmetrics", "scipy.stats", "PIL.Image", "rasterio", "h5py", "diffusers")
# Asserts stay as they are: rewriting them anew for each mutant would take longer than most of the tests.
OPTIONS = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-profile=mutants")


def copy_package(root: Path, folder: Path) -> Path:
    """A copy of the package's source in ``folder``, compiled so that a change of a file is seen by its contents."""
    source = folder / "src"
    shutil.copytree(root / "src" / "rsforge", source / "rsforge", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(source, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return source


def load_libraries() -> None:
    """Import what most tests import, once for all forked processes, but nothing of the package itself."""
    warnings.simplefilter("ignore")
    importlib.import_module("rsforge.compat").ensure_torchvision()
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    warnings.resetwarnings()
    gc.freeze()  # what is shared by all processes need not be looked through by each
    for name in [name for name in sys.modules if name.split(".")[0] == "rsforge"]:
        del sys.modules[name]


def run_tests(root: Path, source: Path, tests: Sequence[str], log: Path, timeout_s: int = TIMEOUT_S) -> str:
    """What the ``tests`` of ``root`` say of the package in ``source``; their output goes to ``log``."""
    process = multiprocessing.get_context("fork").Process(target=_run_pytest, args=(root, source, tests, log))
    process.start()
    process.join(timeout_s)
    if process.exitcode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return f"its tests took more than {timeout_s} s"
    return OUTCOMES.get(process.exitcode, f"pytest ended with {process.exitcode}")


def _run_pytest(root: Path, source: Path, tests: Sequence[str], log: Path) -> None:
    os.setsid()
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(root)
    # Tests that start processes of their own test the copy too, and nothing is left in the checkout.
    os.environ |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    # The same examples each time; that one fails is enough, the smallest one need not be found.
    settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(source))
    if not Path(importlib.import_module("rsforge").__file__ or "").is_relative_to(source):
        sys.exit(WRONG_PACKAGE)
    sys.exit(FINISHED + pytest.main([*OPTIONS, *(f"tests/{test}" for test in tests)]))


def judge(root: Path, source: Path, mutant: Mutant, log: Path) -> str:
    """What its tests say of ``mutant``; the copy in ``source`` is whole again afterwards."""
    path = source / "rsforge" / mutant.file
    whole = path.read_text("utf-8")
    try:
        path.write_text(mutant.plant(whole), "utf-8")
    except LookupError as error:
        return str(error)
    try:
        return run_tests(root, source, mutant.tests, log)
    finally:
        path.write_text(whole, "utf-8")


def check_without_faults(root: Path, source: Path, mutants: Sequence[Mutant], log: Path) -> None:
    """Leave with the output of the tests where they fail without any fault: then they show nothing."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    outcome = run_tests(root, source, tests, log, TIMEOUT_WITHOUT_FAULTS_S)
    if outcome != "survived":
        sys.exit(f"{log.read_text('utf-8', 'replace')}\nwithout any fault: {outcome}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder with src/rsforge and tests/mutants")
    parser.add_argument("--cold", action="store_true", help="start without the libraries of this project")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    every = read_mutants(options.root / "tests" / "mutants" / "mutants.tsv")
    mutants = [m for m in every if not options.words or any(word in m.name for word in options.words)]
    began, missed = time.monotonic(), []
    with TemporaryDirectory() as folder:
        source, log = copy_package(options.root, Path(folder)), Path(folder) / "pytest.log"
        if not options.cold:
            load_libraries()
        check_without_faults(options.root, source, mutants, log)
        for mutant in mutants:
            start = time.monotonic()
            outcome = judge(options.root, source, mutant, log)
            print(f"{time.monotonic() - start:6.1f} s  {mutant.name}: {outcome}", flush=True)
            if outcome != "caught":
                missed.append(f"{mutant.name}: {outcome}")
    print(*missed, sep="\n")
    print(f"{len(mutants) - len(missed)} of {len(mutants)} mutants caught in {time.monotonic() - began:.0f} s")
    sys.exit(bool(missed) or not mutants)


if __name__ == "__main__":
    main()
