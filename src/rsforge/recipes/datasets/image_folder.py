"""From the Data section to judged, split, ready datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex, scan, split, split_digest
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.stored_split import followed
from rsforge.settings.base import RunSettings
from rsforge.settings.images import TileSettings

SYNTHETIC = "synthetic"
SYNTHETIC_COUNT = 512
KEEP_BYTES = 1 << 30


@dataclass(frozen=True)
class Images:
    """Training images as they are augmented, the same ones plain, and those held out."""

    train: IndexedDataset
    plain: IndexedDataset
    held_out: IndexedDataset
    identity: dict[str, Any]


class Part:
    """Some of a dataset's items under new numbers."""

    def __init__(self, whole: IndexedDataset, chosen: Sequence[int]) -> None:
        self.whole, self.chosen = whole, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def name(self, index: int) -> str:
        return self.whole.name(self.chosen[index])

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return self.whole[key[0], self.chosen[key[1]]]


def load(data: TileSettings, run: RunSettings, show: Console, *, keep: bool = True) -> Images:
    """Judge, split and open the images that ``data`` names.

    They are kept in memory where they fit, unless ``keep`` is off: for those who read each image once or never.
    """
    keep_bytes = KEEP_BYTES if keep and not show.dry_run else 0
    opened = _synthetic if data.data_dir == SYNTHETIC else _folder
    return opened(data, run, show, keep_bytes)


def _folder(data: TileSettings, run: RunSettings, show: Console, keep_bytes: int) -> Images:
    place = Path(data.data_dir)
    refuse_same(place, run.output_dir)
    index = scan(place, on_bad=run.on_bad, exclude=run.output_dir)
    for name, reason in index.bad:
        show.warn(f"left out {name}: {reason}")
    show.say(f"images     {index.summary()}")
    train, held_out = _divided(index, data, run, show)
    small = sum(min(t.width, t.height) < data.image_size for t in index.tiles)
    if small:
        show.warn(f"{small} of {len(index.tiles)} images are smaller than --image-size {data.image_size}: enlarged")
    common: dict[str, Any] = {"image_size": data.image_size, "seed": run.seed, "keep_bytes": keep_bytes}
    augmented = TileDataset(train, **common, flip=data.flip, jitter=data.jitter)
    return Images(
        augmented,
        augmented.plain(),
        TileDataset(held_out, **common, flip=0.0, jitter=0.0),
        {"split": split_digest(train, held_out), "train": len(train), "held_out": len(held_out)},
    )


def _divided(index: TileIndex, data: TileSettings, run: RunSettings, show: Console) -> tuple[list[Tile], list[Tile]]:
    """(train, held out): by the split that is followed, else by content."""
    sides = followed(data.split, index, show)
    if sides is None:
        return split(index, val_fraction=data.val_fraction, seed=run.seed)
    if "val_fraction" in data.model_fields_set:
        show.warn("--val-fraction is not used: the split says what is held out (--split none leaves it aside)")
    if not sides["train"]:
        raise RsforgeError("RSF-D004", "the split leaves nothing to train on", where="--split")
    return sides["train"], sides["val"]


def refuse_same(place: Path, output: Path) -> None:
    """RSF-U005: pictures that a run writes among its images could not be told from them when it goes on."""
    if place.is_dir() and output.is_dir() and place.samefile(output):
        raise RsforgeError(
            "RSF-U005", "the folder of images is also the output folder", where="--data-dir, --output-dir",
            found=str(place), fix="name another --output-dir; a folder below the images will do",
        )  # fmt: skip


def _synthetic(data: TileSettings, run: RunSettings, show: Console, keep_bytes: int) -> Images:
    show.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} drawn scenes, not satellite images")
    return drawn(SYNTHETIC_COUNT, data, seed=run.seed, keep_bytes=keep_bytes)


def drawn(count: int, data: TileSettings, *, seed: int, keep_bytes: int = KEEP_BYTES) -> Images:
    """``count`` drawn scenes, the last ``val_fraction`` of them held out."""
    edge = count - round(count * data.val_fraction)
    if not edge:
        raise RsforgeError("RSF-D004", f"--val-fraction {data.val_fraction:g} leaves nothing to train on")
    flipped = SyntheticTiles(count, image_size=data.image_size, seed=seed, flip=data.flip, keep_bytes=keep_bytes)
    plain = flipped.plain()
    identity = {"split": f"{plain.digest} at {edge}", "train": edge, "held_out": count - edge}
    held_out = range(edge, count)
    return Images(Part(flipped, range(edge)), Part(plain, range(edge)), Part(plain, held_out), identity)
