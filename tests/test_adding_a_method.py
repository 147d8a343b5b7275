"""The checklist of docs/adding-a-method.md, carried out in a copy of the package: pix2pix without a cycle."""

from __future__ import annotations

import difflib
import json
import shutil
from pathlib import Path

import pytest

from rsforge.engine import checkpoint
from tests.worlds import warm_python
from tests.worlds.commands import rsforge

ROOT = Path(__file__).parents[1]
END = "--- exit code"
FORGET = "for name in [n for n in sys.modules if n.split('.')[0] == 'rsforge']: del sys.modules[name]"
"""Else the package would be the one that the interpreter had imported before the copy was made."""
SOURCE, ADDED = ROOT / "src" / "rsforge", ROOT / "tests" / "worlds" / "added_method"
LINES = {
    "cli/app.py": ("GROUPS = {\n", '    "pix2pix": "Translate SAR to optical images, one way.",\n'),
    "models/catalogue.py": (
        "NETWORKS = {\n",
        '    "encoder_decoder": "rsforge.models.encoder_decoder:EncoderDecoder",\n',
    ),
}


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A copy of the source with the files of the method, and one line in each table that the checklist names."""
    base = tmp_path_factory.mktemp("package")
    target = base / "rsforge"
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ADDED, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (after, line) in LINES.items():
        text = (target / name).read_text()
        (target / name).write_text(text.replace(after, after + line, 1))
    return base


def run(package: Path, *lines: list[object]) -> list[str]:
    """What each line writes to stdout, all in one process: importing torch takes longer than the trainings."""
    words = [[str(word) for word in line] for line in lines]
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{FORGET}\nfrom rsforge.cli.main import run\n"
    code += f"for line in {words}:\n    print({END!r}, run(line))"
    done = warm_python.run(["-c", code], timeout=120)
    *told, rest = done.stdout.split(f"{END} 0\n")
    assert len(told) == len(lines) and not rest, done.stderr
    return told


def differences(package: Path) -> tuple[list[str], dict[str, int]]:
    """New files, and the number of added and removed lines of each file that was there before."""
    new, changed = [], {}
    for path in sorted((package / "rsforge").rglob("*.py")):
        name = path.relative_to(package / "rsforge").as_posix()
        former = SOURCE / name
        if not former.exists():
            new.append(name)
        elif former.read_text() != path.read_text():
            lines = difflib.ndiff(former.read_text().splitlines(), path.read_text().splitlines())
            changed[name] = sum(line.startswith(("+", "-")) for line in lines)
    return new, changed


def test_a_method_is_one_file_a_room_and_one_line_in_each_table(package):
    new, changed = differences(package)
    rooms = [name.split("/")[0] for name in new if not name.startswith("recipes/")]
    assert sorted(rooms) == ["cli", "models", "settings", "tasks"]
    assert [name for name in new if name.startswith("recipes/")] == [
        f"recipes/pix2pix/{name}.py" for name in ("__init__", "output_names", "train")
    ]
    assert changed == {"cli/app.py": 1, "models/catalogue.py": 1}


def test_the_checklist_names_what_the_test_does():
    text = (ROOT / "docs" / "adding-a-method.md").read_text()
    for name in ("settings/X.py", "cli/X.py", "tasks/X.py", "recipes/X/train.py", "output_names.py", *LINES):
        assert name in text


def test_the_added_method_trains_resumes_to_the_bit_and_is_described(package, tmp_path):
    world = tmp_path / "pairs"
    assert rsforge("data synth --kind pairs --count 8 --size 32 --output-dir {}", world) == 0
    line = ["--data-dir", world, "--image-size", 32, "--base-width", 4, "--num-workers", 0, "--report-to", "none"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train = ["pix2pix", "train"]
    *_, description = run(
        package,
        [*train, *line, "--output-dir", whole, "--max-train-steps", 5],
        [*train, *line, "--output-dir", cut, "--max-train-steps", 3],
        [*train, "--resume", cut / "latest_model.pt", "--max-train-steps", 5],
        ["info", whole / "best_model.pt", "--json"],
    )
    one, other = (checkpoint.load(folder / "latest_model.pt") for folder in (whole, cut))
    tensors = [dict(checkpoint.tensors([state["nets"], state["parts"]])) for state in (one, other)]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(value.equal(tensors[1][name]) for name, value in tensors[0].items())
    assert (whole / "losses.png").exists() and (whole / "samples").is_dir()
    assert "pix2pix" in json.dumps(json.loads(description))


def test_its_options_are_those_of_every_training(package):
    (help_text,) = run(package, ["pix2pix", "train", "--help"])
    for option in ("--lambda-l1", "--max-train-steps", "--ema", "--resume", "--radiometry"):
        assert option in help_text
