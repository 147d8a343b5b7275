"""Four terrains of pairs, and a console that records."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.consoles import RecordingConsole
from tests.worlds.pair_training import TERRAINS
from tests.worlds.pairs import write_pairs


@pytest.fixture
def world(tmp_path) -> Path:
    """Four scenes of three pairs."""
    write_pairs(tmp_path / "world", TERRAINS, count=3, size=32)
    return tmp_path / "world"


@pytest.fixture
def console() -> RecordingConsole:
    return RecordingConsole()
