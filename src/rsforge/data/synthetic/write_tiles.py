"""Synthetic tiles ``CLASS_NUMBER.png`` in one folder, with the names of their classes in ``classes.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsforge import durable
from rsforge.data.synthetic.landscape import KINDS
from rsforge.data.synthetic.world import draw_strips, encode_image

_CLASSES = list(KINDS)


def list_files(count: int) -> list[str]:
    """The files that ``write`` writes; class and number of a tile count from 1."""
    return ["classes.txt", *(f"{k % len(_CLASSES) + 1:04d}_{k // len(_CLASSES) + 1:04d}.png" for k in range(count))]


def write(root: Path, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` tiles of alternating classes; yields the number of tiles after each step."""
    durable.write_text(root / "classes.txt", "".join(f"{k} {name}\n" for k, name in enumerate(_CLASSES, 1)))
    for k, name in enumerate(list_files(count)[1:]):
        tile = np.concatenate(
            [scene.pixels() for scene in draw_strips(seed, k, size, kind=_CLASSES[k % len(_CLASSES)])]
        )
        durable.write_bytes(root / name, encode_image(tile))
        yield 1
