"""Scenes with holes and removed bands, and networks of both stages trained on them for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rsforge.recipes.hsi.load import SpatialModel, SpectralModel, load_spatial, load_spectral
from tests.worlds.commands import rsforge
from tests.worlds.hsi import SPATIAL, TRAIN
from tests.worlds.spectral_evaluation import draw_flights


@pytest.fixture(scope="session")
def flights(tmp_path_factory) -> Path:
    return draw_flights(tmp_path_factory.mktemp("evaluation") / "flights")


@pytest.fixture(scope="session")
def first(flights, tmp_path_factory) -> Path:
    """The checkpoint of a stage 1."""
    folder = tmp_path_factory.mktemp("evaluation") / "stage1"
    assert rsforge(f"{TRAIN} --epochs 2 --lr 1e-2", flights, folder) == 0
    return folder / "best_model.pth"


@pytest.fixture(scope="session")
def second(flights, first, tmp_path_factory) -> Path:
    """The checkpoint of a stage 2 on its predictions."""
    folder = tmp_path_factory.mktemp("evaluation") / "stage2"
    assert rsforge(f"{SPATIAL} --epochs 2 --lr 1e-2", flights, first, folder) == 0
    return folder / "best_model.pth"


@pytest.fixture(scope="session")
def spectral(first) -> SpectralModel:
    return load_spectral(first, torch.device("cpu"))


@pytest.fixture(scope="session")
def spatial(second) -> SpatialModel:
    return load_spatial(second, torch.device("cpu"))
