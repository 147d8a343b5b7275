"""From the Data section to judged, split, ready datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge.data.synthetic import SyntheticTiles
from rsforge.data.tiles import TileDataset, scan, split, split_digest
from rsforge.engine.feed import Samples
from rsforge.errors import RsforgeError
from rsforge.recipes.voice import Voice
from rsforge.settings.base import RunSettings, TileSettings

SYNTHETIC = "synthetic"
SYNTHETIC_COUNT = 512


@dataclass(frozen=True)
class Images:
    """Training images as they are augmented, the same ones plain, and those held out."""

    train: Samples
    plain: Samples
    held_out: Samples
    identity: dict[str, Any]


class Part:
    """Some of a dataset's items under new numbers."""

    def __init__(self, whole: Samples, chosen: Sequence[int]) -> None:
        self.whole, self.chosen = whole, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def name(self, index: int) -> str:
        return self.whole.name(self.chosen[index])

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return self.whole[key[0], self.chosen[key[1]]]


def load(data: TileSettings, run: RunSettings, show: Voice) -> Images:
    """Judge, split and open the images that ``data`` names."""
    return _synthetic(data, run, show) if data.data_dir == SYNTHETIC else _folder(data, run, show)


def _folder(data: TileSettings, run: RunSettings, show: Voice) -> Images:
    index = scan(Path(data.data_dir), on_bad=run.on_bad)
    for name, reason in index.bad:
        show.warn(f"left out {name}: {reason}")
    show.say(f"images     {index.summary()}")
    train, held_out = split(index, val_fraction=data.val_fraction, seed=run.seed)
    small = sum(min(t.width, t.height) < data.image_size for t in index.tiles)
    if small:
        show.warn(f"{small} of {len(index.tiles)} images are smaller than --image-size {data.image_size}: enlarged")
    common: dict[str, Any] = {"image_size": data.image_size, "seed": run.seed}
    return Images(
        TileDataset(train, **common, flip=data.flip, jitter=data.jitter),
        TileDataset(train, **common, flip=0.0, jitter=0.0),
        TileDataset(held_out, **common, flip=0.0, jitter=0.0),
        {"split": split_digest(train, held_out), "train": len(train), "held_out": len(held_out)},
    )


def _synthetic(data: TileSettings, run: RunSettings, show: Voice) -> Images:
    show.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} drawn scenes, not satellite images")
    return drawn(SYNTHETIC_COUNT, data, seed=run.seed)


def drawn(count: int, data: TileSettings, *, seed: int) -> Images:
    """``count`` drawn scenes, the last ``val_fraction`` of them held out."""
    plain = SyntheticTiles(count, image_size=data.image_size, seed=seed)
    flipped = SyntheticTiles(count, image_size=data.image_size, seed=seed, flip=data.flip)
    edge = count - round(count * data.val_fraction)
    if not edge:
        raise RsforgeError("RSF-D004", f"--val-fraction {data.val_fraction:g} leaves nothing to train on")
    identity = {"split": f"{plain.digest} at {edge}", "train": edge, "held_out": count - edge}
    held_out = range(edge, count)
    return Images(Part(flipped, range(edge)), Part(plain, range(edge)), Part(plain, held_out), identity)
