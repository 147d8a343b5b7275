"""Drawn scenes, and a network trained on them once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.commands import rsforge
from tests.worlds.hsi import TRAIN, draw_scenes


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Path:
    return draw_scenes(tmp_path_factory.mktemp("hsi") / "scenes")


@pytest.fixture(scope="session")
def spectral_run(scenes, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "stage1"
    line = TRAIN.replace("--report-to none", "--report-to tensorboard") + "--epochs 5 --log-every 1"
    assert rsforge(line, scenes, folder) == 0
    return folder
