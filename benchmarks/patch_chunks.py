"""Random crops of 64 pixels from files of hyperspectral patches, by the shape of their chunks.

A chunk is decoded as a whole for every crop that touches it. Whole patches, which statistics and fits read, are
measured too, as ratios beside the sides, and the sizes of the files. The shapes are pixels x pixels with all bands,
gzip of level 4; ``shuffle`` sorts the bytes of numbers by their significance before packing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import h5py
import numpy as np
from _paired import Spent, interleaved, repeats, report, timed

from rsforge.data.cubes.hdf5_file import open_unmanaged
from rsforge.data.synthetic.spectra import endmembers

COUNT, SIZE, BANDS, CROP = 2, 256, 340, 64
CROPS = 2
ONE_A_PATCH = "256 x 256"
CHUNKS = {
    ONE_A_PATCH: ((256, 256), False),
    "64 x 64": ((64, 64), False),
    "32 x 32": ((32, 32), False),
    "16 x 16": ((16, 16), False),
    "64 x 64, shuffle": ((64, 64), True),
    "32 x 32, shuffle": ((32, 32), True),
    "16 x 16, shuffle": ((16, 16), True),
}


def draw() -> np.ndarray:
    """Noisy mixtures of spectra, smooth in space: patches ``(COUNT, SIZE, SIZE, BANDS)``."""
    rng = np.random.default_rng(0)
    spectra = endmembers(np.linspace(380, 2480, BANDS).astype(np.float32))
    shares = rng.random((COUNT, SIZE // 16, SIZE // 16, len(spectra)), np.float32).repeat(16, 1).repeat(16, 2)
    shares += 0.3 * rng.random((COUNT, SIZE, SIZE, len(spectra)), np.float32)
    values = (shares / shares.sum(-1, keepdims=True)) @ spectra
    values += 0.002 * rng.standard_normal(values.shape, np.float32)
    return values.astype(np.float32)


def write(folder: Path, name: str, values: np.ndarray) -> Path:
    (rows, cols), shuffle = CHUNKS[name]
    path = folder / f"{rows}_{cols}_{shuffle}.h5"
    options = {"compression": "gzip", "compression_opts": 4, "fletcher32": True, "shuffle": shuffle}
    with h5py.File(path, "w") as file:
        file.create_dataset("aviris", data=values, chunks=(1, rows, cols, BANDS), **options)
    return path


def crops(array: h5py.Dataset, rng: np.random.Generator) -> None:
    for _ in range(CROPS):
        (item,), (row, col) = rng.integers(0, COUNT, 1), rng.integers(0, SIZE - CROP + 1, 2)
        array[item, row : row + CROP, col : col + CROP]


def opened(path: Path, work: Callable[[h5py.Dataset], object]) -> Spent:
    with open_unmanaged(path) as file:
        return timed(lambda: work(file["aviris"]))


def main() -> None:
    rounds = repeats(5)
    values = draw()
    with tempfile.TemporaryDirectory() as slot:
        paths = {name: write(Path(slot), name, values) for name in CHUNKS}
        # All sides of a round cut the same crops; each round cuts others.
        rng = {name: np.random.default_rng(1) for name in CHUNKS}
        sides = {name: partial(opened, path, partial(crops, rng=rng[name])) for name, path in paths.items()}
        spent = interleaved(sides, rounds)
        whole = {name: partial(opened, path, lambda array: array[0]) for name, path in paths.items()}
        read = interleaved(whole, max(3, rounds // 3))
        sizes = {name: path.stat().st_size for name, path in paths.items()}
    base = read[ONE_A_PATCH]
    ratios = {n: round(median(a.cpu / b.cpu for a, b in zip(s, base, strict=True)), 3) for n, s in read.items()}
    report(
        "patch_chunks", spent, against=ONE_A_PATCH, crops=CROPS, bands=BANDS, whole_patch_cpu_ratio=ratios,
        size_ratio={name: round(size / sizes[ONE_A_PATCH], 3) for name, size in sizes.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
