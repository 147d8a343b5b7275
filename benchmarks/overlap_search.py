"""The search for shared pixels among 250 images, beside the digests of the files that a split makes anyway.

Images are colour JPEGs cut from drawn scenes. One of 64 lies half over another. ``of 64`` and ``of 256`` are
pixels; ``pairs`` are the pairs found.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from _paired import interleaved, repeats, report, timed
from PIL import Image
from scipy import ndimage

from rsforge.data.splits.duplicates import digest_items
from rsforge.data.splits.items import Item
from rsforge.data.splits.shared_pixels import find_shared_pixels

COUNT, SIZES = 250, (64, 256)


def draw_images(folder: Path, size: int) -> list[Item]:
    """``COUNT`` patches of eight textures, which are one turned and mirrored, in rows and columns."""
    in_row, in_col = 8, 8
    noise = np.random.default_rng(0).normal(size=(in_col * size, in_row * size)).astype(np.float32)
    layers = [ndimage.gaussian_filter(noise, sigma) * sigma for sigma in (1, 3, 9)]
    texture = np.clip(128 + 80 * np.sum(layers, axis=0), 0, 255).astype(np.uint8)
    items = []
    for number in range(COUNT):
        turn, place = divmod(number, in_row * in_col)
        top, left = place // in_row * size, place % in_row * size
        if place == in_row:  # one patch of each texture lies half over its neighbour
            top -= size // 2
        patch = np.rot90(texture[top : top + size, left : left + size], turn % 4)
        path = folder / f"{number:04d}.jpg"
        Image.fromarray(np.repeat((patch.T if turn > 3 else patch)[..., None], 3, axis=2)).save(path, quality=85)
        items.append(Item(path.name, (path,)))
    return items


def main() -> None:
    rounds = repeats(3)
    with tempfile.TemporaryDirectory() as folder:
        sides, pairs = {}, {}
        for size in SIZES:
            place = Path(folder, str(size))
            place.mkdir()
            items = draw_images(place, size)
            digests = digest_items(items)
            pairs[f"of {size}"] = len(find_shared_pixels(items, digests))
            sides[f"digests of {size}"] = partial(timed, partial(digest_items, items))
            sides[f"search of {size}"] = partial(timed, partial(find_shared_pixels, items, digests))
        report("overlap_search", interleaved(sides, rounds), against="digests of 64", count=COUNT, pairs=pairs)


if __name__ == "__main__":
    main()
