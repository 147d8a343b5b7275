"""Drawn tiles with their classes: ``CLASS_NUMBER.png`` in one folder and ``classes.txt`` beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsforge import durable
from rsforge.data.synthetic.landscape import KINDS
from rsforge.data.synthetic.world import grounds, picture

_CLASSES = list(KINDS)


def files(count: int) -> list[str]:
    """What ``write`` writes: class and number of a tile, both from 1."""
    return ["classes.txt", *(f"{k % len(_CLASSES) + 1:04d}_{k // len(_CLASSES) + 1:04d}.png" for k in range(count))]


def write(root: Path, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` tiles, the classes taking turns; yields how many tiles each step wrote."""
    durable.write_text(root / "classes.txt", "".join(f"{k} {name}\n" for k, name in enumerate(_CLASSES, 1)))
    for k, name in enumerate(files(count)[1:]):
        tile = np.concatenate([g.pixels() for g in grounds(seed, k, size, kind=_CLASSES[k % len(_CLASSES)])])
        durable.write_bytes(root / name, picture(tile))
        yield 1
