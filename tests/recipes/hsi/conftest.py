"""Drawn scenes, and networks of both stages trained on them once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.commands import rsforge
from tests.worlds.hsi import SPATIAL, TRAIN, draw_scenes


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Path:
    return draw_scenes(tmp_path_factory.mktemp("hsi") / "scenes")


@pytest.fixture(scope="session")
def spectral_run(scenes, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "stage1"
    line = TRAIN.replace("--report-to none", "--report-to tensorboard") + "--epochs 5 --log-every 1"
    assert rsforge(line, scenes, folder) == 0
    return folder


@pytest.fixture(scope="session")
def stage1(spectral_run) -> Path:
    return spectral_run / "best_model.pth"


@pytest.fixture(scope="session")
def spatial_run(scenes, stage1, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "stage2"
    line = SPATIAL.replace("--report-to none", "--report-to tensorboard") + "--epochs 5 --log-every 1"
    assert rsforge(line, scenes, stage1, folder) == 0
    return folder
