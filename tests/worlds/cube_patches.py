"""Patches of cubes, drawn at random, and files of them with scenes and windows."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import h5py
import numpy as np

from rsforge.data.cubes.patches import CubePatch, Simulation
from rsforge.data.io.windows import Window

WEIGHTS = np.array([[0.5, 0.5, 0, 0], [0, 0, 1, 0]])


def draw_patches(count: int, size: int = 15) -> Iterator[CubePatch]:
    simulation = Simulation.for_patches(WEIGHTS, size, Fraction(15, 2))
    for k in range(count):
        values = np.random.default_rng(k).uniform(0, 1, (size, size, 4)).astype(np.float32)
        valid = np.ones((size, size), bool)
        valid[0, k] = False
        yield simulation.simulate(Window(0, k, size, size), values, valid)


def write_patches(path, count=4, *, places=True):
    with h5py.File(path, "w") as file:
        values = np.random.default_rng(0).random((count, 8, 8, 5), np.float32)
        file.create_dataset("aviris", data=values, chunks=(1, 8, 8, 5))
        if places:
            file["scene"] = [f"flight {k // 2}" for k in range(count)]
            file["window"] = np.array([(0, 8 * k, 8, 8) for k in range(count)], np.int32)
