"""The main job on drawn tiles of 16 pixels, run once, through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from rsforge.cli.main import run
from rsforge.data.synthetic import write_tiles

VAE = "--image-size 16 --channels 8,16 --latent-dim 8 --no-perceptual --num-workers 0 --batch-size 8 --jitter 0"
DIFFUSION = "--image-size 16 --hidden 16,16,32,32 --time-dim 16 --timesteps 40 --num-workers 0 --batch-size 8"


class Job(NamedTuple):
    tiles: Path
    vae: Path
    diffusion: Path


def command(line: str, *paths: object) -> list[str]:
    """Words of a command line; ``{}`` are replaced by ``paths`` after splitting, so they may hold spaces."""
    given = iter(paths)
    return [str(next(given)) if word == "{}" else word for word in line.split()]


def rsforge(line: str, *paths: object) -> int:
    return run(command(line, *paths))


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
