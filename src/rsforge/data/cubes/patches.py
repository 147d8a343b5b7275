"""Pairs of hyperspectral and simulated Landsat patches, in HDF5."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from rasterio.crs import CRS

from rsforge import durable
from rsforge.data.cubes.cube import F32, F64, Mask
from rsforge.data.cubes.resample import along, area_mean, area_weights, cubic_weights
from rsforge.data.io.georeference import Grid
from rsforge.data.io.windows import Window

NAME = "test_patches.h5"
HALF = 0.5
SLACK = 4 << 20  # bytes for what the library keeps beside the values
SHARED = ("aviris", "landsat", "landsat_native")


class Patch(NamedTuple):
    """A window of a cube and what Landsat would see of it; ``quality`` is the share of valid pixels.

    ``aviris (P, P, B)`` is 0 where ``valid (P, P)`` is not; ``landsat_native (p, p, K)`` are means over valid pixels, 0
    where ``native_valid (p, p)`` says that they are less than half; ``landsat (P, P, K)`` is interpolated from them.
    """

    window: Window
    aviris: F32
    landsat: F32
    landsat_native: F32
    valid: Mask
    native_valid: Mask
    quality: float


@dataclass(frozen=True)
class Simulation:
    """From cube to Landsat: bands by ``weights (K, B)``, area means by ``down (p, P)``, and back by ``up (P, p)``.

    Each patch has its own Landsat grid, which begins at its upper left corner.
    """

    weights: F64
    down: F64
    up: F64

    @classmethod
    def of(cls, weights: F64, size: int, factor: Fraction) -> Simulation:
        """For patches of ``size`` pixels where a Landsat pixel is ``factor`` of them wide."""
        down = area_weights(size, factor)
        return cls(weights, down, cubic_weights(len(down), size, factor))

    def patch(self, window: Window, values: F32, valid: Mask) -> Patch:
        """The pair of values ``(P, P, B)``; where a pixel is invalid they are set to 0."""
        values[~valid] = 0
        # Row by row: float64 copies of whole patches of hundreds of bands would double the memory.
        bands = np.stack([row.astype(float) @ self.weights.T for row in values])
        native, share = area_mean(bands, valid, self.down, self.down)
        seen: Mask = share >= HALF
        return Patch(
            window, values, along(self.up, self.up, native).astype(np.float32),
            np.where(seen[..., None], native, 0).astype(np.float32), valid, seen, float(valid.mean()),
        )  # fmt: skip


def write_patches(path: Path, scene: str, patches: Iterable[Patch], facts: Mapping[str, Any]) -> int:
    """Write the patches of a scene to ``path``, whole or not at all, and say how many; none leaves no file.

    Patches are taken one by one, so that memory stays flat. ``facts`` become attributes.
    """
    walk = iter(patches)
    first = next(walk, None)
    if first is None:
        return 0
    # The library ends the process when a write fails, so that room is taken before.
    with _folder_of(path), durable.replacing_by_name(path) as temporary, h5py.File(temporary, "w") as file:
        durable.reserve(temporary, SLACK)
        arrays = _created(file, first)
        count = 0
        for patch in chain([first], walk):
            row = _row(scene, patch)
            needed = sum(np.asarray(value).nbytes for value in row.values())
            durable.reserve(temporary, file.id.get_filesize() + needed + needed // 64 + SLACK)
            for name, value in row.items():
                arrays[name].resize(count + 1, axis=0)
                arrays[name][count] = value
            count += 1
        shapes = {f"{name}_shape": arrays[name].shape[1:] for name in SHARED}
        for name, fact in {**facts, **shapes, "n_patches": count, "num_patches": count}.items():
            file.attrs[name] = fact
        file.flush()
        size = file.id.get_filesize()
        file.close()
        os.truncate(temporary, size)
    return count


@contextmanager
def _folder_of(path: Path) -> Iterator[None]:
    """The folder of a file to be written, which is gone again when nothing came to lie in it."""
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def _row(scene: str, patch: Patch) -> dict[str, Any]:
    return {
        "aviris": patch.aviris,
        "landsat": patch.landsat,
        "landsat_native": patch.landsat_native,
        "valid": patch.valid.astype(np.uint8),
        "landsat_native_valid": patch.native_valid.astype(np.uint8),
        "scene": scene,
        "window": np.array(patch.window, np.int32),
        "qualities": np.float32(patch.quality),
    }


def _created(file: h5py.File, first: Patch) -> dict[str, h5py.Dataset]:
    """Growing data sets, a patch a chunk."""
    arrays = {}
    for name, value in _row("", first).items():
        text = isinstance(value, str)
        shape = () if text else np.shape(value)
        packed = {"compression": "gzip", "compression_opts": 4} if len(shape) > 1 else {}
        arrays[name] = file.create_dataset(
            name, (0, *shape), h5py.string_dtype() if text else value.dtype, maxshape=(None, *shape),
            chunks=(1, *shape) if len(shape) > 1 else (1024, *shape), **packed,
        )  # fmt: skip
    return arrays


def gsd_m(grid: Grid | None) -> float | None:
    """The side of a pixel in metres; None where the grid is unknown or its coordinates are no lengths."""
    if grid is None or not grid.crs:
        return None
    try:
        crs = CRS.from_wkt(grid.crs)
        unit = float(crs.linear_units_factor[1]) if crs.is_projected else math.nan
    except Exception:  # PROJ raises what it likes about coordinate systems it does not know
        return None
    a, b, _, d, e, _ = grid.transform
    side = math.sqrt(abs(a * e - b * d)) * unit
    return side if math.isfinite(side) else None
