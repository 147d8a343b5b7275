"""Synthetic images with five correct captions each, in a Parquet file with the columns of public data sets."""

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
from rsforge.data.synthetic.world import draw_strips, encode_image
from rsforge.seeds import derive

SCHEMA = pa.schema(
    [
        ("filename", pa.string()),
        ("captions", pa.list_(pa.string())),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)
_ROWS = 32  # of a row group, which is built in memory
_NUMBERS = ("no", "one", "two", "three")
_WHERE = {
    "fields": "farmland",
    "river": "a winding river",
    "village": "a village",
    "coast": "a coast with a sandy beach",
}


def list_files(count: int) -> list[str]:
    """The files that ``write`` writes: one shard, whatever the number of rows."""
    return ["train-00000-of-00001.parquet"]


def write(root: Path, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` JPEG images of ``size`` pixels with captions; yields the number of rows after each step."""
    with durable.open_atomic(root / list_files(count)[0]) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for first in range(0, count, _ROWS):
            rows = [_make_row(seed, k, size) for k in range(first, min(first + _ROWS, count))]
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
            yield len(rows)


def _make_row(seed: int, number: int, size: int) -> dict[str, Any]:
    strips: list[Pixels] = []
    shares = np.zeros(len(MATERIALS))
    kind = ""
    roads = list[str]()
    for scene in draw_strips(seed, number, size):
        strips.append(scene.pixels())
        shares += scene.shares.sum(axis=(1, 2), dtype=np.float64) / scene.n**2
        kind, roads = scene.kind, scene.roads
    name = f"{kind}_{number + 1:05d}.jpg"
    rng = np.random.default_rng(derive(seed, "captions", number))
    captions = compose_captions(kind, roads, dict(zip(MATERIALS, shares.tolist(), strict=True)), rng)
    image = {"bytes": encode_image(np.concatenate(strips), "JPEG"), "path": name}
    return {"filename": f"images/{name}", "captions": captions, "image": image}


def compose_captions(kind: str, roads: list[str], share: dict[str, float], rng: np.random.Generator) -> list[str]:
    """Five captions that are true of the ``roads`` and of the ``share`` of each material, chosen by ``rng``."""
    fields = share["crop"] + share["soil"]
    houses = share["roof"] > 0.002
    where = _WHERE["fields" if kind == "village" and not houses else kind]
    ways = [_count_words(roads.count(way), way) for way in ("road", "track") if way in roads]
    candidates = [f"an aerial view of {where}", f"{where} seen from above", f"this satellite image shows {where}"]
    candidates += [f"an overhead image of {where}", f"a satellite saw {where}"]
    if ways or not houses:
        candidates += [f"{where} with {' and '.join(ways) or 'no road'}"]
    if houses:
        candidates += ["houses stand in blocks between streets", f"there are houses in this image of {where}"]
    if fields > 0.2:
        candidates += [f"most of the fields are {'green' if share['crop'] > fields / 2 else 'brown'}"]
    if share["forest"] > 0.1:
        candidates += ["a part of the land is dark green forest", f"{where} with woods"]
    if share["water"] > 0.2:
        candidates += ["much of the image is blue water", "sea and land meet along a shore"]
    return [f"{text} ." for text in rng.permutation(candidates)[:5].tolist()]


def _count_words(count: int, noun: str) -> str:
    return f"{_NUMBERS[count]} {noun}{'' if count == 1 else 's'}"
