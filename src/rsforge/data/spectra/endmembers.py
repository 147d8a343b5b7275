"""Endmembers of spectra: the corners of the simplex of all mixtures (VCA), or the centres of clusters (k-means)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import vq

from rsforge.data.cubes.cube import F32, F64
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

MOST_PIXELS = 20_000
DARKEST = 0.01  # of the mean brightness
Indices = npt.NDArray[np.int64]


class PixelSample:
    """Spectra drawn evenly from the pixels of all patches: ``per_patch`` of each, or all of a patch with fewer.

    Which ones depends on ``seed`` and the name of the patch alone; a ``PixelMeasure``. Pixels whose spectrum is 0
    everywhere are left out. Each is kept with what Landsat saw of it.
    """

    def __init__(self, patches: int, *, seed: int, most: int = MOST_PIXELS) -> None:
        self.per_patch = max(1, most // max(patches, 1))
        self.seed = seed
        self._parts: list[F32] = []
        self._seen: list[F32] = []

    def add(self, name: str, landsat: F32, spectra: F32) -> None:
        rng = np.random.default_rng(derive(self.seed, "pixels", name))
        rows = rng.permutation(len(spectra))[: self.per_patch]
        rows = rows[spectra[rows].any(axis=1)]
        self._parts.append(spectra[rows])
        self._seen.append(landsat[rows])

    def pixels(self) -> F32:
        """The sample ``(n, B)``; RSF-D004 for none."""
        if not any(map(len, self._parts)):
            raise RsforgeError("RSF-D004", "there is no valid pixel to find endmembers in")
        return np.concatenate(self._parts)

    def landsat(self) -> F32:
        """What Landsat saw ``(n, K)`` of these pixels."""
        return np.concatenate(self._seen)


def find_by_vca(pixels: F32, count: int, *, seed: int) -> Indices:
    """The rows ``(count,)`` of ``pixels (n, B)`` that are nearest to the corners of their simplex.

    Vertex component analysis: J. Nascimento and J. Bioucas Dias, IEEE TGRS 43(4), 2005. Pixels are reduced to
    ``count`` dimensions; each next corner is the pixel that is farthest along a random direction orthogonal to the
    corners so far. RSF-D004 for fewer different pixels or bands than endmembers.
    """
    if min(pixels.shape) < count or count < 1:
        shown = f"{pixels.shape[0]} pixels of {pixels.shape[1]} bands"
        raise RsforgeError("RSF-D004", f"too few pixels or bands for {count} endmembers", found=shown)
    if count == 1:
        return np.array([int(np.linalg.norm(pixels, axis=1).argmax())])
    points = _reduce(pixels.astype(float), count)
    rng = np.random.default_rng(derive(seed, "vca"))
    corners = np.zeros((count, count))
    corners[-1, 0] = 1
    chosen: Indices = np.zeros(count, np.int64)
    for k in range(count):
        direction = rng.standard_normal(count)
        direction -= corners @ (np.linalg.pinv(corners) @ direction)
        direction /= np.linalg.norm(direction)
        chosen[k] = np.abs(points @ direction).argmax()
        corners[:, k] = points[chosen[k]]
    different = len(set(chosen.tolist()))
    if different < count:
        what = f"the spectra are mixtures of fewer than {count} endmembers"
        raise RsforgeError("RSF-D004", what, found=str(different), fix="ask for fewer endmembers")
    return chosen


def _reduce(pixels: F64, count: int) -> F64:
    """Points ``(n, count)``: for noisy data ``count - 1`` principal components and a constant, else the projection onto
    the plane of the simplex from the origin, which removes differences in brightness; dark pixels become 0."""
    mean = pixels.mean(axis=0)
    centred = pixels - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    components = centred @ axes[:, ::-1][:, :count]
    if _signal_to_noise(pixels, mean, components) < 15 + 10 * math.log10(count):
        kept = components[:, : count - 1]
        radius = np.sqrt((kept**2).sum(axis=1).max())
        return np.column_stack([kept, np.full(len(kept), radius or 1.0)])
    _, axes = np.linalg.eigh(pixels.T @ pixels)
    projected = pixels @ axes[:, ::-1][:, :count]
    centre = projected.mean(axis=0)
    heights = projected @ centre
    power = float(centre @ centre)
    # On the plane of the simplex a spectrum has the height of the centre. The direction of a very dark one is noise.
    scale = np.where(heights > DARKEST * power, power / np.where(heights > 0, heights, 1), 0)
    points: F64 = projected * scale[:, None]
    return points


def _signal_to_noise(pixels: F64, mean: F64, components: F64) -> float:
    """In decibels, with everything outside of the ``components`` taken as noise (equation 13 of the paper)."""
    count, bands = components.shape[1], pixels.shape[1]
    power = float((pixels**2).sum(axis=1).mean())
    signal = float((components**2).sum(axis=1).mean() + mean @ mean)
    noise = power - signal
    useful = signal - count / bands * power
    if noise <= 1e-12 * power:
        return math.inf
    return 10 * math.log10(useful / noise) if useful > 0 else -math.inf


def find_by_kmeans(pixels: F32, count: int, *, seed: int, rounds: int = 50) -> F32:
    """The centres ``(count, B)`` of clusters of ``pixels (n, B)``: Lloyd's iterations from k-means++ centres.

    A cluster that loses all pixels keeps its centre. RSF-D004 for fewer different pixels than clusters.
    """
    points = pixels.astype(float)
    centres = _spread_centres(points, count, np.random.default_rng(derive(seed, "kmeans")))
    labels = np.full(len(points), -1)
    for _ in range(rounds):
        new, _ = vq(points, centres)
        if (new == labels).all():
            break
        labels = new
        for k in np.unique(labels):
            centres[k] = points[labels == k].mean(axis=0)
    return centres.astype(np.float32)


def _spread_centres(points: F64, count: int, rng: np.random.Generator) -> F64:
    """Points drawn in proportion to their squared distance from those before (Arthur and Vassilvitskii 2007)."""
    chosen = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        if not distance.any():
            found = f"{len(chosen)} different spectra"
            raise RsforgeError("RSF-D004", f"too few pixels for {count} clusters", found=found)
        chosen.append(int(rng.choice(len(points), p=distance / distance.sum())))
    return points[chosen]
