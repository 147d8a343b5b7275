"""Latents encoded once and stored on disk: mean and log variance of every image, read by index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.seeds import derive

Moments = npt.NDArray[np.float32]
Cells = npt.NDArray[np.bool_]

_LAYOUT = "latents 2"  # raise it when the order or meaning of the rows changes
_CHUNK = 1 << 24  # values held in float64 at once


def cache_key(*, autoencoder_digest: str, data_digest: str, image_size: int, mirrored: bool) -> str:
    """A short name for the latents of these images under this autoencoder."""
    parts = (_LAYOUT, autoencoder_digest, data_digest, image_size, mirrored)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class LatentDataset(Dataset[dict[str, Tensor]]):
    """Named arrays, such as moments ``(2, *latent)``, addressed by (epoch, index).

    Each array is ``(N, V, ...)`` with as many views as the others; the view is chosen by (seed, epoch, index) alone,
    and is the same for all arrays.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], names: Sequence[str], *, seed: int) -> None:
        shapes = {values.shape[:2] for values in arrays.values()}
        if len(shapes) != 1 or len(names) != next(iter(shapes))[0]:
            raise ValueError(f"arrays of {sorted(shapes)} samples and views, and {len(names)} names")
        self.arrays = dict(arrays)
        self.names = list(names)
        self.seed = seed
        self.views = next(iter(shapes))[1]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        return self.names[index]

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = key
        view = derive(self.seed, "view", epoch, index) % self.views
        return {name: torch.from_numpy(np.array(values[index, view])) for name, values in self.arrays.items()}


def latent_statistics(moments: Moments, valid: Cells | None = None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the sampled latents over images and views, in closed form.

    E[mu] and sqrt(Var[mu] + E[exp(logvar)]) by the law of total variance: ``(C, 1, 1)`` each for maps
    ``(N, V, 2, C, H, W)``, ``(D,)`` for vectors ``(N, V, 2, D)``. The deviation is at least 1e-6. Of maps only the
    cells count where ``valid`` ``(N, V, 1, H, W)`` is True.
    """
    mean = _average((mu for mu, _ in _chunks(moments)), valid)
    variance = _average(((mu - mean) ** 2 + np.exp(logvar) for mu, logvar in _chunks(moments)), valid)
    std = np.sqrt(variance).clip(1e-6)
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()


def draw_latents(moments: Moments, most: int, *, seed: int, valid: Cells | None = None) -> Tensor:
    """One draw each of at most ``most`` latents ``(n, *latent)``, evenly spread over images and views.

    Cells where ``valid`` ``(N, V, 1, H, W)`` is False are the mean of the others.
    """
    places = spread_places(moments, most)
    chosen = torch.from_numpy(np.stack([moments[place] for place in places]))
    mu, logvar = chosen.unbind(1)
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(derive(seed, "latents drawn")))
    latents = mu + torch.exp(0.5 * logvar) * noise
    if valid is None:
        return latents
    known = torch.from_numpy(np.stack([valid[place] for place in places]))
    return latents.where(known, latent_statistics(moments, valid)[0])


def spread_places(moments: Moments, most: int) -> list[tuple[int, int]]:
    """Image and view of at most ``most`` latents, evenly spread over both."""
    images, views = moments.shape[:2]
    count = min(most, images * views)
    return [divmod(number * images * views // count, views) for number in range(count)]


def _chunks(moments: Moments) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    rows = max(1, _CHUNK // max(1, moments[0].size))
    for start in range(0, len(moments), rows):
        part = moments[start : start + rows].astype(np.float64)
        yield part[:, :, 0], part[:, :, 1]


def _average(chunks: Iterable[npt.NDArray[np.float64]], valid: Cells | None) -> npt.NDArray[np.float64]:
    """Per channel ``(C, 1, 1)`` of ``(n, V, C, H, W)``, per dimension ``(D,)`` of ``(n, V, D)``."""
    total = np.float64(0)
    weight = row = 0
    for chunk in chunks:
        axes = (0, 1, *range(3, chunk.ndim))
        if valid is None:
            counted, weight = chunk, weight + chunk.size // chunk.shape[2]
        else:
            cells = valid[row : row + len(chunk)]
            counted, weight = chunk * cells, weight + int(cells.sum())
        total, row = total + counted.sum(axis=axes), row + len(chunk)
    average: npt.NDArray[np.float64] = (total / max(weight, 1)).reshape(-1, *[1] * (chunk.ndim - 3))
    return average
