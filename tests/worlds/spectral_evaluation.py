"""Scenes with removed bands and a named sensor, and lines that evaluate networks trained on them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from tests.worlds.spectral_patches import write_scene

GAP_NM = np.concatenate([np.linspace(420, 1000, 7), np.linspace(1500, 2200, 5)])
"""Wavelengths with one gap, of bands 7 and 8."""
EVALUATE = "hsi evaluate --stage1-checkpoint {} --data-dir {} --device cpu --resamples 200 "


def draw_flights(root: Path, names: str = "abc", count: int = 3, *, sensor: bool = True) -> Path:
    """Scenes of ``count`` patches of 30 pixels, 12 bands with a gap, 3 of Landsat, and holes in all."""
    for seed, name in enumerate(names):
        path = write_scene(root / name / "test_patches.h5", count, seed=seed, hole=4)
        with h5py.File(path, "r+") as file:
            file.attrs["wavelengths"] = GAP_NM
            if sensor:
                file.attrs["sensor"] = "landsat8"
                file.attrs["landsat_bands"] = ["blue", "green", "red"]
    return root
