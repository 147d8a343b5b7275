"""The runs that adapted a model and trained one from scratch, made once; other rooms share the fine-tuned one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.captioned_folder import LORA, SCRATCH
from tests.worlds.commands import rsforge


@pytest.fixture(scope="session")
def adapted_run(text_world, tmp_path_factory) -> Path:
    """Six steps of adapters, with a checkpoint after every second."""
    run = tmp_path_factory.mktemp("adapted") / "run"
    assert rsforge(LORA, text_world.model, text_world.images, run) == 0
    return run


@pytest.fixture(scope="session")
def scratch_run(text_world, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("from scratch") / "run"
    assert rsforge(SCRATCH, text_world.images, run) == 0
    return run
