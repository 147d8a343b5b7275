"""Every dependency has a lowest version, at which the suite can be run, and the pinned set lies above all of them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINNED = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)
# The first releases without the vulnerabilities that are known of what reads files of others.
SAFE = {"torch": "2.10", "pillow": "12.3", "pyarrow": "15", "onnx": "1.21"}


def release(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.fixture(scope="module")
def noxfile():
    pytest.importorskip("nox")
    spec = spec_from_file_location("noxfile_of_the_checkout", ROOT / "noxfile.py")
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # the noxfile changes both for its own process
        patch.setenv("PYTHONPATH", "")
        spec.loader.exec_module(module)
    return module


def test_every_dependency_has_a_floor_below_its_pin(noxfile):
    floors = noxfile.read_floors(PYPROJECT)
    project = PYPROJECT["project"]
    assert len(floors) >= len(project["dependencies"]) + sum(map(len, project["optional-dependencies"].values()))
    for name, floor in floors.items():
        assert name in PINNED, name
        assert release(PINNED[name]) >= release(floor), name


def test_floors_are_past_known_vulnerabilities(noxfile):
    floors = noxfile.read_floors(PYPROJECT)
    assert {name: floors[name] for name in SAFE if release(floors[name]) < release(SAFE[name])} == {}


def test_the_tests_take_the_extras_at_the_floors_of_the_package():
    extras = {line for lines in PYPROJECT["project"]["optional-dependencies"].values() for line in lines}
    assert extras <= set(PYPROJECT["dependency-groups"]["test"])


def test_constraints_are_lowered_to_the_floors_alone(noxfile):
    text = "# pins\nnumpy==2.4.6\npytest==9.2.0\n"
    assert noxfile.lower(text, {"numpy": "1.26"}) == "# pins\npytest==9.2.0\nnumpy==1.26\n"
    assert "noxfile" not in sys.modules


@pytest.mark.parametrize(
    ("session", "scripts"),
    [
        ("figures", "tests/learning/*.py"),
        ("learning", "tests/learning/few_steps.py"),
        ("learning", "tests/learning/sar_to_optical.py"),
        ("faults", "tests/faults/*.py"),
        ("bench", "benchmarks/*.py"),
        ("examples", "examples/*.py"),
    ],
)
def test_sessions_install_the_reference_libraries_that_their_scripts_import(session, scripts):
    known = {re.split("[>=]", line)[0] for line in PYPROJECT["dependency-groups"]["oracle"]}
    wanted = {name for path in ROOT.glob(scripts) for name in list_imports(path.read_text("utf-8"))} & known
    own = next(n for n in ast.parse((ROOT / "noxfile.py").read_text("utf-8")).body if getattr(n, "name", "") == session)
    groups = {word.value for word in ast.walk(own) if isinstance(word, ast.Constant)}
    assert not wanted or "oracle" in groups, sorted(wanted)


def list_imports(source: str) -> set[str]:
    """The packages that a module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(source)))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in named}
