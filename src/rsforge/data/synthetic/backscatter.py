"""C-band backscatter of painted scenes: levels by material, walls and edges, speckle.

Levels of sigma0 in VV are the usual ones of C band at 30 to 45 degrees of incidence (Ulaby and Dobson, Handbook of
Radar Scattering Statistics for Terrain, 1989; crops: Veloso et al., Remote Sensing of Environment 199, 2017).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rsforge.data.sar.radiometry import CLIP_DB
from rsforge.data.synthetic.noise_textures import MATERIALS, Array, PaintedScene, pool_samples

LOOKS = 4.4  # equivalent number of looks of Sentinel-1 IW GRD in high resolution

# Per material: sigma0 in dB, standard deviation of its texture in dB, lattice cells of the texture a side, and the
# strength of the echo of its walls and edges.
_LEVELS = {
    "crop": (-11.5, 0.5, 40, 0.0),
    "soil": (-14.5, 0.5, 40, 0.0),
    "grass": (-12.5, 0.6, 40, 0.0),
    "forest": (-8.0, 0.8, 70, 1.5),
    "water": (-22.0, 0.9, 5, 0.0),
    "sand": (-18.0, 0.5, 12, 0.0),
    "surf": (-15.0, 2.0, 40, 0.0),
    "road": (-18.0, 0.3, 40, 0.0),
    "roof": (-5.0, 4.5, 56, 5.0),
}
_PARCEL_DB = 1.8
_PARCELS = 256  # more than any scene has: a fixed number of random numbers is drawn
_REACH = 256  # walls and shadows reach over 1/256 of the scene


def sigma0(scene: PaintedScene, rng: np.random.Generator) -> Array:
    """The mean backscatter ``(rows, size)``, in linear power, of a recorded scene illuminated from the left.

    The powers of the materials in a pixel are added. ``rng`` gives the variation of parcels and canopies.
    """
    parcel_db = rng.normal(0, _PARCEL_DB, _PARCELS).clip(-2 * _PARCEL_DB, 2 * _PARCEL_DB).astype(np.float32)
    power = np.zeros(scene.shape, np.float32)
    relief = np.zeros(scene.shape, np.float32)
    for share, material in zip(scene.shares, MATERIALS, strict=True):
        level_db, std_db, cells, height = _LEVELS[material]
        db = np.float32(level_db) + np.float32(std_db) * scene.noise(cells, rng=rng)
        if material in ("crop", "soil"):
            db += parcel_db[scene.parcel]
        power += share * to_linear(db)
        relief += share * np.float32(height)
    return pool_samples(power * _facing_gain(relief))


def _facing_gain(relief: Array) -> Array:
    """The gain of slopes: above 1 where they face the radar, below 1 in the shadow behind them."""
    n = relief.shape[1]
    x = np.arange(n)
    reach = max(n // (2 * _REACH), 1)
    rise = relief[:, np.minimum(x + reach, n - 1)] - relief[:, np.maximum(x - reach, 0)]
    gain: Array = np.where(rise > 0, 1 + rise / 3, 1 / (1 - rise / 3)).astype(np.float32)
    return gain


def add_speckle(power: Array, looks: float, rng: np.random.Generator) -> Array:
    """``power`` with fully developed speckle: multiplied by gamma noise of mean 1 and variance ``1 / looks``."""
    return power * (rng.standard_gamma(looks, power.shape, np.float32) / np.float32(looks))


def to_linear(db: Array) -> Array:
    """Decibel to linear power."""
    power: Array = np.power(np.float32(10), db / np.float32(10))
    return power


def to_decibel(power: Array) -> Array:
    """Linear power to decibel, at least -60 dB."""
    db: Array = 10 * np.log10(np.maximum(power, np.float32(1e-6)))
    return db


def to_grey(db: Array) -> npt.NDArray[np.uint8]:
    """Decibel as 8-bit grey levels: the range ``CLIP_DB`` becomes 0 to 255."""
    low, high = CLIP_DB
    levels: npt.NDArray[np.uint8] = (np.clip((db - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)
    return levels
