"""Drawn images with five true captions each, as one Parquet file in the layout of image and caption data sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rsforge import durable
from rsforge.data.io.image_reader import Pixels
from rsforge.data.synthetic.noise_textures import MATERIALS
from rsforge.data.synthetic.world import grounds, picture
from rsforge.seeds import derive

SCHEMA = pa.schema(
    [
        ("filename", pa.string()),
        ("captions", pa.list_(pa.string())),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)
_ROWS = 32  # of a row group, which is held in memory
_NUMBERS = ("no", "one", "two", "three")
_WHERE = {
    "fields": "farmland",
    "river": "a winding river",
    "village": "a village",
    "coast": "a coast with a sandy beach",
}


def files(count: int) -> list[str]:
    """What ``write`` writes: one shard, however many rows."""
    return ["train-00000-of-00001.parquet"]


def write(root: Path, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` JPEG images of ``size`` pixels with their captions; yields how many each step wrote."""
    with durable.replacing(root / files(count)[0]) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for first in range(0, count, _ROWS):
            rows = [_row(seed, k, size) for k in range(first, min(first + _ROWS, count))]
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
            yield len(rows)


def _row(seed: int, number: int, size: int) -> dict[str, Any]:
    strips, shares, kind, laid = list[Pixels](), np.zeros(len(MATERIALS)), "", list[str]()
    for g in grounds(seed, number, size):
        strips.append(g.pixels())
        shares += g.shares.sum(axis=(1, 2), dtype=np.float64) / g.n**2
        kind, laid = g.kind, g.laid
    name = f"{kind}_{number + 1:05d}.jpg"
    rng = np.random.default_rng(derive(seed, "captions", number))
    captions = told(kind, laid, dict(zip(MATERIALS, shares.tolist(), strict=True)), rng)
    image = {"bytes": picture(np.concatenate(strips), "JPEG"), "path": name}
    return {"filename": f"images/{name}", "captions": captions, "image": image}


def told(kind: str, laid: list[str], share: dict[str, float], rng: np.random.Generator) -> list[str]:
    """Five captions, true of what was ``laid`` and of each material's ``share``; ``rng`` picks among those that are."""
    fields, houses = share["crop"] + share["soil"], share["roof"] > 0.002
    where = _WHERE["fields" if kind == "village" and not houses else kind]
    ways = [_counted(laid.count(way), way) for way in ("road", "track") if way in laid]
    said = [f"an aerial view of {where}", f"{where} seen from above", f"this satellite image shows {where}"]
    said += [f"an overhead image of {where}", f"a satellite saw {where}"]
    if ways or not houses:
        said += [f"{where} with {' and '.join(ways) or 'no road'}"]
    if houses:
        said += ["houses stand in blocks between streets", f"there are houses in this image of {where}"]
    if fields > 0.2:
        said += [f"most of the fields are {'green' if share['crop'] > fields / 2 else 'brown'}"]
    if share["forest"] > 0.1:
        said += ["a part of the land is dark green forest", f"{where} with woods"]
    if share["water"] > 0.2:
        said += ["much of the image is blue water", "sea and land meet along a shore"]
    return [f"{text} ." for text in rng.permutation(said)[:5].tolist()]


def _counted(count: int, noun: str) -> str:
    return f"{_NUMBERS[count]} {noun}{'' if count == 1 else 's'}"
