"""Pairs of hyperspectral and simulated Landsat patches, and the HDF5 files that hold them."""

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

from rsforge import durable
from rsforge.data.cubes.cube import F32, F64, Mask
from rsforge.data.cubes.resample import apply_along, area_mean, area_weights, cubic_weights
from rsforge.data.io.windows import Window

NAME = "test_patches.h5"
HALF = 0.5
TILE = 16  # pixels a chunk is wide and high, see benchmarks/patch_chunks.py
ONE_CHUNK = 1 << 20  # bytes of a patch below which it is one chunk
SLACK = 4 << 20  # bytes for the metadata that the library keeps beside the values
RESPONSE, MOST_RESPONSE = "landsat_response", 60_000
"""The attribute of the weights ``(K, B)`` with which Landsat was simulated, and its most bytes, a limit of HDF5."""

PREDICTED = "aviris_predicted"
NATIVE, NATIVE_VALID = "landsat_native", "landsat_native_valid"
SHARED = ("aviris", "landsat", NATIVE, PREDICTED)


class CubePatch(NamedTuple):
    """A window of a cube and the Landsat image of it; ``quality`` is the share of valid pixels.

    ``aviris (P, P, B)`` is 0 where ``valid (P, P)`` is False. ``landsat_native (p, p, K)`` are means over the valid
    pixels, 0 where ``native_valid (p, p)`` is False because less than half of them are valid. ``landsat (P, P, K)`` is
    interpolated from them. Both are None where the window begins within a Landsat pixel, and are not written then.
    """

    window: Window
    aviris: F32
    landsat: F32
    landsat_native: F32 | None
    valid: Mask
    native_valid: Mask | None
    quality: float


@dataclass(frozen=True)
class Simulation:
    """The simulation of Landsat from a cube: bands by ``weights (K, B)``, area means by ``down (p, P)``, interpolation
    back to the pixels of the cube by ``up (P, p)``.

    The Landsat grid of each patch begins at its upper left corner.
    """

    weights: F64
    down: F64
    up: F64

    @classmethod
    def for_patches(cls, weights: F64, size: int, factor: Fraction) -> Simulation:
        """For patches of ``size`` pixels where a Landsat pixel is ``factor`` pixels wide."""
        down = area_weights(size, factor)
        return cls(weights, down, cubic_weights(len(down), size, factor))

    def simulate(self, window: Window, values: F32, valid: Mask) -> CubePatch:
        """The pair for values ``(P, P, B)``, in which invalid pixels are set to 0 in place."""
        values[~valid] = 0
        # Row by row: float64 copies of whole patches of hundreds of bands would double the memory.
        bands = np.stack([row.astype(float) @ self.weights.T for row in values])
        native, share = area_mean(bands, valid, self.down, self.down)
        native_valid: Mask = share >= HALF
        return CubePatch(
            window=window,
            aviris=values,
            landsat=apply_along(self.up, self.up, native).astype(np.float32),
            landsat_native=np.where(native_valid[..., None], native, 0).astype(np.float32),
            valid=valid,
            native_valid=native_valid,
            quality=float(valid.mean()),
        )


def write_patches(path: Path, scene: str, patches: Iterable[CubePatch], facts: Mapping[str, Any]) -> int:
    """Write the patches of a scene to ``path`` as ``write_rows`` does; ``facts`` become attributes."""
    return write_rows(path, (_patch_record(scene, patch) for patch in patches), facts)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> int:
    """Write equal records of arrays and words to ``path``, atomically, and return their number; none makes no file.

    Records are taken one by one, so that one is in memory at a time. ``facts`` become attributes, beside the number of
    patches and the shapes of those arrays that are in ``SHARED``.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return 0
    # HDF5 aborts the process when a write fails on a full disk. Space is therefore allocated before each write, where
    # the system refuses it with an OSError: the file so far, the values of the patch, 1/64 for chunk headers and the
    # index of chunks, and SLACK for metadata. What was not used is cut off at the end.
    with _make_folder(path), durable.atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        durable.reserve(temporary, SLACK)
        arrays = _create_datasets(file, first)
        count = 0
        for row in chain([first], remaining):
            needed = sum(np.asarray(value).nbytes for value in row.values())
            durable.reserve(temporary, file.id.get_filesize() + needed + needed // 64 + SLACK)
            for name, value in row.items():
                arrays[name].resize(count + 1, axis=0)
                arrays[name][count] = value
            count += 1
        shapes = {f"{name}_shape": arrays[name].shape[1:] for name in SHARED if name in arrays}
        for name, fact in {**facts, **shapes, "n_patches": count, "num_patches": count}.items():
            file.attrs[name] = fact
        file.flush()
        size = file.id.get_filesize()
        file.close()
        os.truncate(temporary, size)
    return count


@contextmanager
def _make_folder(path: Path) -> Iterator[None]:
    """Make the folder of a file; folders made here are removed again when the block fails."""
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def _patch_record(scene: str, patch: CubePatch) -> dict[str, Any]:
    native: dict[str, Any] = {}
    if patch.landsat_native is not None and patch.native_valid is not None:
        native = {NATIVE: patch.landsat_native, NATIVE_VALID: patch.native_valid.astype(np.uint8)}
    return {
        "aviris": patch.aviris,
        "landsat": patch.landsat,
        **native,
        "valid": patch.valid.astype(np.uint8),
        "scene": scene,
        "window": np.array(patch.window, np.int32),
        "qualities": np.float32(patch.quality),
    }


def _create_datasets(file: h5py.File, first: Mapping[str, Any]) -> dict[str, h5py.Dataset]:
    """Data sets that can grow; numbers have checksums, which readers of HDF5 verify.

    Images of more than ``ONE_CHUNK`` are stored in chunks of ``TILE`` x ``TILE`` pixels with all bands, smaller ones in
    one chunk a patch.
    """
    arrays = {}
    for name, value in first.items():
        if isinstance(value, str):
            shape = ()
            dtype = h5py.string_dtype()
        else:
            shape = np.shape(value)
            dtype = value.dtype
        is_image = len(shape) > 1
        options: dict[str, Any] = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if is_image else {}
        options["fletcher32"] = not isinstance(value, str)
        chunks = (1, *_chunk_of_image(shape, dtype.itemsize)) if is_image else (1024, *shape)
        arrays[name] = file.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=chunks, **options)
    return arrays


def _chunk_of_image(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The chunk of an image ``(H, W, ...)``: all bands, since a pixel is always read with its whole spectrum."""
    if math.prod(shape) * itemsize <= ONE_CHUNK:
        return shape
    return (min(TILE, shape[0]), min(TILE, shape[1]), *shape[2:])
