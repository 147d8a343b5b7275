"""The checks of the project: `nox` runs lint, types, rooms and tests; `nox -s NAME -- OPTIONS` runs one.

Sessions install what they need into the environment that nox itself runs in, pinned by constraints.txt, so that
one download of torch serves all of them. RSFORGE_NOX_BACKEND=venv gives each session an environment of its own.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "types", "rooms", "tests"]
nox.options.default_venv_backend = os.environ.pop("RSFORGE_NOX_BACKEND", "none")  # no variable of rsforge itself
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
# .venv/bin/nox is mostly started without its environment being active.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
# What a shell or another checkout has set must not decide which rsforge is tested.
os.environ.pop("PYTHONPATH", None)

# Threads of one small network wait for each other more than they help, and two test processes share the cores. What is
# compiled is kept, whatever the machine says: tests start hundreds of interpreters.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}


def install(session: nox.Session, *groups: str, package: bool = True) -> None:
    """The named dependency groups, and the package as it stands in this folder, at the pinned versions.

    pip would compile all of them, one file after the other, which takes longer than the download; Python compiles what
    is imported. The pip that comes with Python 3.11 takes a minute longer than a new one to choose among the files of
    the index. --no-install, which nox itself heeds only in environments that it made, leaves all as it is.
    """
    if "--no-install" in sys.argv:
        return
    wanted = [name for group in groups for name in nox.project.dependency_groups(PYPROJECT, group)]
    own = ["-e", str(ROOT)] if package else []
    pip = ["python", "-m", "pip", "install", "-q", "--no-compile", "-c", str(ROOT / "constraints.txt")]
    session.run_install(*pip, "pip")
    session.run_install(*pip, *own, *wanted)


def scripts(folder: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).glob("*.py")) if not path.name.startswith("_")]


@nox.session
def lint(session: nox.Session) -> None:
    """Rules, layout and spelling."""
    install(session, "lint", package=False)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session, "types")
    session.run("mypy")


@nox.session
def rooms(session: nox.Session) -> None:
    """Imports go one way; read from the source, with nothing of it installed."""
    install(session, "lint", package=False)
    session.run("lint-imports", env={"PYTHONPATH": "src"})


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite in two processes; options after -- go to pytest."""
    install(session, "test", "oracle")
    session.run("pytest", "-n", "2", "--dist", "worksteal", *session.posargs, env=ONE_THREAD)


# References that tests import; datasets and transformers cannot be had at the lowest versions of ours, and are skipped.
REFERENCES = ("diffusers", "onnxruntime")


def read_floors(pyproject: dict[str, Any]) -> dict[str, str]:
    """The lowest version that pyproject.toml allows of each dependency, extra and reference, by name."""
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    lines += [line for line in groups["oracle"] if line.startswith(REFERENCES)]
    return {line.partition(">=")[0]: re.split(r">=|,", line)[1] for line in lines}


def lower(constraints: str, floors: dict[str, str]) -> str:
    """The lines of ``constraints`` with the packages of ``floors`` at these versions."""
    lines = [line for line in constraints.splitlines() if line.partition("==")[0] not in floors]
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in floors.items()), ""])


@nox.session(venv_backend="venv")
def floors(session: nox.Session) -> None:
    """The suite at the lowest versions that pyproject.toml allows; those of packages named after -- stay as pinned."""
    floors = {name: version for name, version in read_floors(PYPROJECT).items() if name not in session.posargs}
    constraints = Path(session.create_tmp(), "floors.txt")
    constraints.write_text(lower((ROOT / "constraints.txt").read_text(), floors))
    wanted = nox.project.dependency_groups(PYPROJECT, "test")
    session.install("-c", str(constraints), "-e", str(ROOT), *wanted, *REFERENCES)
    # What the lowest version of one library calls another by may be deprecated there, which is no fault of ours.
    quiet = ("-W", "ignore::DeprecationWarning")
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "worksteal", *quiet, env=ONE_THREAD)


@nox.session
def campaign(session: nox.Session) -> None:
    """The suite's test of killed trainings with hundreds of kills; options after -- are --kills and --kill-seed."""
    install(session, "test")
    session.run(
        "pytest", "tests/engine/test_resume.py", "-k", "killed_anywhere", "--kills", "300", *session.posargs,
        env=ONE_THREAD,
    )  # fmt: skip


@nox.session
def faults(session: nox.Session) -> None:
    """200 SIGKILLs of every training and every command that writes; options after -- are --kills, --seed, commands."""
    install(session, "test")
    session.run("python", "-W", "ignore", "-m", "tests.faults.campaign", *session.posargs, env=ONE_THREAD)


@nox.session
def mutants(session: nox.Session) -> None:
    """Plants the faults of tests/mutants one by one: a test must catch each; words after -- choose some of them."""
    install(session, "test", "oracle")
    session.run("python", "-m", "tests.mutants.run", *session.posargs, env=ONE_THREAD)


@nox.session
def attacks(session: nox.Session) -> None:
    """Every hostile file of tests/attacks through its command; the suite runs a selection."""
    install(session, "test")
    session.run("pytest", "tests/attacks", "--all-attacks", *session.posargs, env=ONE_THREAD)


@nox.session
def learning(session: nox.Session) -> None:
    """What SAR-to-optical models learn: 4 steps against 50, and what images depend on; options go to the training."""
    install(session, "test")
    for script in ("few_steps", "sar_to_optical"):
        session.run("python", "-m", f"tests.learning.{script}", *session.posargs, env=ONE_THREAD)


@nox.session
def figures(session: nox.Session) -> None:
    """README's figures of what is learnt, made again beside those it states; real data are named after --."""
    install(session, "test", "oracle")
    session.run("python", "-m", "tests.learning.readme_figures", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Every example, in a folder of its own."""
    install(session)
    session.run("python", "examples/_run.py", env=ONE_THREAD)


@nox.session
def demo(session: nox.Session) -> None:
    """The whole path on drawn scenes; options after -- go to rsforge demo."""
    install(session)
    with TemporaryDirectory() as folder, session.chdir(folder):
        session.run("rsforge", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Every benchmark; options after -- go to each, such as --repeats 3."""
    install(session)
    for script in scripts("benchmarks"):
        session.run("python", str(script), *session.posargs)
