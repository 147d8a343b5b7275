"""A model, captioned images, and the runs that fine-tuned it, adapted it and trained one from scratch, made once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.worlds.captioned_folder import LINE, LORA, SCRATCH, write_captioned_folder
from tests.worlds.commands import rsforge
from tests.worlds.pretrained_model import write_model


class TextWorld(NamedTuple):
    model: Path
    images: Path
    run: Path
    """Six steps with a checkpoint after each."""


@pytest.fixture(scope="session")
def text_world(tmp_path_factory) -> TextWorld:
    base = tmp_path_factory.mktemp("text to image")
    made = TextWorld(write_model(base / "sd"), write_captioned_folder(base / "data/images", parent=True), base / "run")
    assert rsforge(LINE, *made) == 0
    return made


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
