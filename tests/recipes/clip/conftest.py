"""A drawn data set of the document's layout, and a text encoder trained on it once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.clip import TRAIN, draw_dataset
from tests.worlds.commands import rsforge


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("regions") / "Dataset")


@pytest.fixture(scope="session")
def clip_run(dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "clip"
    assert rsforge(TRAIN + "--epochs 6 --save-every 4 --log-every 1", dataset, folder) == 0
    return folder
