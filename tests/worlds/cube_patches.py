"""A file of cube patches with their scenes and windows."""

from __future__ import annotations

import h5py
import numpy as np


def write_patches(path, count=4, *, places=True):
    with h5py.File(path, "w") as file:
        values = np.random.default_rng(0).random((count, 8, 8, 5), np.float32)
        file.create_dataset("aviris", data=values, chunks=(1, 8, 8, 5))
        if places:
            file["scene"] = [f"flight {k // 2}" for k in range(count)]
            file["window"] = np.array([(0, 8 * k, 8, 8) for k in range(count)], np.int32)
