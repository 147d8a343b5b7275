"""Help answers without the heavy packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rsforge.cli.tree import COMMANDS

HEAVY = "torch numpy pandas pyarrow h5py rasterio scipy PIL matplotlib torchvision torchmetrics tensorboard diffusers"
PROBE = """
import sys
from rsforge.cli.main import run
code = run(sys.argv[1:])
sys.exit(code or sorted(set(%r.split()) & set(sys.modules)) or 0)
"""


def probe(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROBE % HEAVY, *argv], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "argv", [["--help"], ["config", "show", "vae", "train"], ["explain"], ["config", "validate", "vae-tiny"]]
)
def test_light_commands_import_nothing_heavy(argv):
    done = probe(*argv)
    assert done.returncode == 0, done.stderr


def test_no_help_imports_anything_heavy():
    every = f"for p in {list(COMMANDS)!r}: assert run([*p, '--help']) == 0"
    script = (PROBE % HEAVY).replace("code = run(sys.argv[1:])", f"{every}\ncode = 0")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_command_reads_the_settings_of_its_own_group_alone():
    script = (PROBE % HEAVY).replace("set(sys.modules)", "{m for m in sys.modules if m == 'rsforge.settings.cyclegan'}")
    script = script.replace(f"set({HEAVY!r}.split()) & ", "")
    # One after another in one process: starting one takes longer than the commands.
    lines = [["--help"], ["diffusion", "train", "--help"], ["explain"]]
    script = script.replace("run(sys.argv[1:])", f"max(run(line) for line in {lines})")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_variable_of_another_command_is_no_misspelt_one(tmp_path):
    line = [sys.executable, "-m", "rsforge", "cyclegan", "train", "--seed", "none"]
    variables = {"RSFORGE_KL_WEIGHT": "1", "RSFORGE_KL_WEIGTH": "1"}
    done = subprocess.run(line, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "reads RSFORGE_KL_WEIGTH; did you mean RSFORGE_KL_WEIGHT?" in done.stderr
    assert done.stderr.count("no command reads") == 1
