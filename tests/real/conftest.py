"""Where the real pictures lie, if they are here at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("RSFORGE_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no real data here; name its folder in RSFORGE_REAL_DATA")
    return folder
