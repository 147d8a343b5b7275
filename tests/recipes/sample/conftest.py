"""``sample`` with a small trained model that draws optical images of SAR images."""

from __future__ import annotations

import json

import pytest

from tests.worlds.commands import rsforge
from tests.worlds.sar_diffusion import DRAWING


@pytest.fixture
def sample(sar_world, tmp_path, monkeypatch, capsys):
    """Runs ``sample`` with the trained model; the JSON object that it ends with and what it says on the way."""
    monkeypatch.chdir(tmp_path)

    def call(command, words, *paths, code=0):
        line = f"sample {command} {DRAWING} {words} --json"
        assert rsforge(line, sar_world.model / "best_model.pt", *paths) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else json.loads(err.splitlines()[-1]), err

    return call
