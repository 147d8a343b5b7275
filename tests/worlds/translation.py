"""Command lines of translations, drawn images for them, and what a generator itself makes of values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine

from rsforge.data.sar.radiometry import Radiometry
from rsforge.recipes.cyclegan.load import load_generator
from tests.worlds.commands import rsforge

DB = Radiometry("db", -25, 0)
PLACE = {"crs": "EPSG:32632", "transform": Affine(10, 0, 500000, 0, -10, 5500000)}


def translate(line: str, *paths: object) -> int:
    return rsforge(f"cyclegan translate --device cpu --checkpoint {{}} {line}", *paths)


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def refused(capsys, code: str, line: str, *paths: object) -> str:
    assert translate(line, *paths) != 0
    error = capsys.readouterr().err
    assert code in error, error
    return error


def noise(height: int, width: int, bands: int = 0, seed: int = 0) -> np.ndarray:
    shape = (height, width, bands) if bands else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def decibels(height: int, width: int, bands: int = 2) -> np.ndarray:
    return np.random.default_rng(1).uniform(-22, -3, (height, width, bands)).astype(np.float32)


def raster(path: Path, values: np.ndarray, **more) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype}
    with rasterio.open(path, "w", **profile, **PLACE | more) as target:
        target.write(np.moveaxis(values, -1, 0))
    return path


def direct(path: Path, values: np.ndarray, given: Radiometry, made: Radiometry, direction: str = "sar2optical"):
    """What the generator itself makes of values (H, W, C)."""
    net, _ = load_generator(path, torch.device("cpu"), direction)
    with torch.no_grad():
        y = net(torch.from_numpy(given.to_unit(values)).permute(2, 0, 1)[None])[0]
    return made.from_unit(y.permute(1, 2, 0).numpy())


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


class Same(torch.nn.Module):
    """A generator that leaves the SAR image as it is, and is interrupted at its call ``until``."""

    factor, in_channels, out_channels = 32, 1, 3

    def __init__(self, until: int = 0) -> None:
        super().__init__()
        self.left = until

    def forward(self, x):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        assert x.shape[1] == 1 and x.shape[2] == x.shape[3] and x.shape[2] % 32 == 0
        return x.repeat(1, 3, 1, 1)
