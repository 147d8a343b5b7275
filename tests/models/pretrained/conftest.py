"""Tiny models of both families; the guard of tests/conftest.py has run before their libraries are imported."""

from __future__ import annotations

import pytest

from tests.worlds.stable_diffusion import FAMILIES, copy_folder, source_folder


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    return request.param


@pytest.fixture
def source(family):
    """The folder of a model, which no test changes."""
    return source_folder(family)


@pytest.fixture
def folder(family, tmp_path):
    return copy_folder(family, tmp_path / "model")
