"""The run that trained a model from scratch, made once; the one that fine-tuned is shared with other rooms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.captioned_folder import SCRATCH
from tests.worlds.commands import rsforge


@pytest.fixture(scope="session")
def scratch_run(text_world, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("from scratch") / "run"
    assert rsforge(SCRATCH, text_world.images, run) == 0
    return run
