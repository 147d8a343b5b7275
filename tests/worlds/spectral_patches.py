"""Files of paired patches: those that rsforge writes, and plain ones without masks, places and wavelengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.ndimage import zoom

from rsforge.data.cubes.patches import Simulation, write_patches
from rsforge.data.cubes.spectral_response import known_weights
from rsforge.data.io.windows import Window

BANDS = 12
WAVELENGTH_NM = np.linspace(420.0, 2200.0, BANDS)
LANDSAT8 = ("coastal", "blue", "green", "red", "nir", "swir1")
WEIGHTS = np.repeat(np.eye(6), 2, axis=1)[:3] / 2  # three Landsat bands, each the mean of two


def draw_spectra(*shape: int, seed: int = 0) -> np.ndarray:
    """Positive mixtures ``(*shape, BANDS)`` of four smooth spectra in a unit of radiance, with a little noise."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, BANDS)
    sources = np.stack([1 + np.sin(3 * x), 2 - x, 0.5 + x**2, 1 + np.cos(6 * x) / 2])
    shares = rng.dirichlet(np.full(4, 0.6), shape)
    values = 5 * shares @ sources * rng.uniform(0.6, 1.2, (*shape, 1)) + 0.02 * rng.standard_normal((*shape, BANDS))
    return values.astype(np.float32)


def draw_curved_spectra(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    """Spectra ``(height, width, BANDS)`` of one quantity that changes slowly, each band another sine of it.

    Landsat's bands determine the quantity and so all bands, but not by a linear map.
    """
    quantity = zoom(np.random.default_rng(seed).uniform(0, 2, (2, 2)), (height / 2, width / 2), order=1)
    return (5 + 2 * np.sin(quantity[..., None] * (0.5 + np.arange(BANDS) / 4))).astype(np.float32)


def draw_orchard(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    """Spectra ``(height, width, BANDS)`` of ground that changes slowly, brighter in the middle of every 3 x 3 pixels.

    Pixels three times as wide show the ground alone: what lies within them can be learnt and not interpolated.
    """
    shares = zoom(np.random.default_rng(seed).dirichlet(np.full(4, 4.0), (3, 3)), (height / 3, width / 3, 1), order=1)
    x = np.linspace(0, 1, BANDS)
    ground = shares @ np.stack([1 + np.sin(3 * x), 2 - x, 0.5 + x**2, 1 + np.cos(6 * x) / 2])
    rows, cols = (np.arange(side) % 3 == 1 for side in (height, width))
    tree = 1 - x / 2
    return (3 * ground * (1 + (rows[:, None] & cols)[..., None] * tree)).astype(np.float32)


def write_scene(
    path: Path,
    count: int = 3,
    *,
    size: int = 30,
    seed: int = 0,
    hole: int = 0,
    stride: int | None = None,
    draw: Callable[..., np.ndarray] = draw_spectra,
    weights: np.ndarray = WEIGHTS,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """A file as ``rsforge data hsi-patches`` writes it, its patches in a row of one scene, each with a hole."""
    simulation = Simulation.for_patches(weights, size, Fraction(15, 2))
    patches = []
    for k in range(count):
        valid = np.ones((size, size), bool)
        valid[:hole, :hole] = False
        window = Window(0, k * (stride or size), size, size)
        patches.append(simulation.simulate(window, draw(size, size, seed=97 * seed + k), valid))
    path.parent.mkdir(parents=True, exist_ok=True)
    common = {"wavelengths": WAVELENGTH_NM, "factor": "15/2", "units": "radiance"}
    write_patches(path, path.parent.name, patches, common | dict(facts or {}))
    return path


def write_landsat8_scene(path: Path, count: int = 2, **options: Any) -> Path:
    """A file of :func:`write_scene` with the bands of Landsat 8 that its spectra cover."""
    weights = known_weights("landsat8", LANDSAT8, len(LANDSAT8), WAVELENGTH_NM)
    facts = {"sensor": "landsat8", "landsat_bands": list(LANDSAT8)}
    return write_scene(path, count, weights=weights, facts=facts, **options)


def write_plain(
    path: Path, count: int = 2, *, size: int = 16, bands: int = BANDS, landsat: int = 7, **attributes
) -> Path:
    """A file with the two arrays alone, one chunk a patch, packed as the first such data sets were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(count)
    with h5py.File(path, "w") as file:
        for name, channels in (("landsat", landsat), ("aviris", bands)):
            values = rng.uniform(1, 5, (count, size, size, channels)).astype(np.float32)
            chunks = (1, size, size, channels) if count else None
            maxshape = (None, size, size, channels)
            file.create_dataset(name, data=values, chunks=chunks or True, maxshape=maxshape, compression="gzip")
        file.attrs["n_patches"] = count
        for key, value in attributes.items():
            file.attrs[key] = value
    return path


def drop(path: Path, *names: str) -> Path:
    """Remove arrays, as files have them that earlier versions or others made."""
    with h5py.File(path, "r+") as file:
        for name in names:
            del file[name]
    return path


def edit(path: Path, name: str, where: tuple, value: float) -> None:
    """Overwrite values of an array in place."""
    with h5py.File(path, "r+") as file:
        file[name][where] = value
