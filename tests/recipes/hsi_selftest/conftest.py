"""Patches of drawn scenes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.hsi import draw_scenes


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Path:
    return draw_scenes(tmp_path_factory.mktemp("selftest") / "scenes")
