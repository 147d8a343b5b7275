"""The main job on synthetic tiles of 16 pixels and an exported generator, each made once through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from rsforge.data.synthetic.tile_dataset import write_tiles
from tests.worlds.captioned_folder import LINE, write_captioned_folder
from tests.worlds.commands import DIFFUSION, VAE, rsforge
from tests.worlds.cyclegan_export import DIRECTIONS, Exported, export_all, write_generators
from tests.worlds.pretrained_model import write_model
from tests.worlds.sar_diffusion import SarWorld, make_world


class Job(NamedTuple):
    tiles: Path
    vae: Path
    diffusion: Path


class TextWorld(NamedTuple):
    model: Path
    images: Path
    run: Path
    """Six steps with a checkpoint after each."""


@pytest.fixture(scope="session")
def job(tmp_path_factory) -> Job:
    base = tmp_path_factory.mktemp("main job")
    tiles, vae, diffusion = base / "tiles", base / "vae_models", base / "diffusion_models"
    write_tiles(tiles, 30, 24, seed=1)
    line = f"vae train --data-dir {{}} --output-dir {{}} --epochs 4 --save-every 2 --sample-every 2 --kl-warmup 2 {VAE}"
    assert rsforge(line, tiles, vae) == 0
    line = "diffusion train --vae {} --image-dir {} --output-dir {} --epochs 4 --save-every 2 --sample-every 2 "
    line += DIFFUSION
    assert rsforge(line, vae / "best_model.pt", tiles, diffusion) == 0
    return Job(tiles, vae, diffusion)


@pytest.fixture(scope="session")
def sar_world(tmp_path_factory) -> SarWorld:
    return make_world(tmp_path_factory.mktemp("SAR to optical"))


@pytest.fixture(scope="session")
def text_world(tmp_path_factory) -> TextWorld:
    base = tmp_path_factory.mktemp("text to image")
    made = TextWorld(write_model(base / "sd"), write_captioned_folder(base / "data/images", parent=True), base / "run")
    assert rsforge(LINE, *made) == 0
    return made


@pytest.fixture(scope="session")
def generators(tmp_path_factory) -> Path:
    """A checkpoint with a generator towards optical as usual, and one towards SAR with attention and batch norm."""
    path = tmp_path_factory.mktemp("generators") / "best_model.pt"
    write_generators(path)
    return path


@pytest.fixture(scope="session", params=list(DIRECTIONS))
def exported(request, generators, tmp_path_factory) -> Exported:
    """An export in all formats: for images of any size towards optical, for images of one size towards SAR."""
    folder = tmp_path_factory.mktemp("exported")
    return export_all(generators, folder, request.param, any_size=request.param == "sar2optical")
