"""Training and held-out images from the options of the section Data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge.data.captions.webdataset import refuse_tars
from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex, scan, split_digest
from rsforge.data.names.sides import side_of_path
from rsforge.data.pairs.layouts import holds_pair_folders, refuse_single_bands
from rsforge.data.pairs.nested_layouts import find_unread_sides
from rsforge.data.splits.items import Item
from rsforge.data.splits.shared_pixels import list_groups
from rsforge.data.splits.single_items import name_scenes
from rsforge.data.splits.tiles import check_unknown_scenes, join_groups, split_tiles
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.stored_split import follow_split, refuse_mixture
from rsforge.recipes.shared_pixels import search_shared_pixels
from rsforge.settings.base import RunSettings
from rsforge.settings.images import TileSettings
from rsforge.wording import agree, count_noun

SYNTHETIC = "synthetic"
SYNTHETIC_COUNT = 512
KEEP_BYTES = 1 << 30


@dataclass(frozen=True)
class ImageSets:
    """Training images with augmentation (``train``) and without (``plain``), held-out images, and their identity."""

    train: IndexedDataset
    plain: IndexedDataset
    held_out: IndexedDataset
    identity: dict[str, Any]


class SelectedItems:
    """Some items of a dataset, numbered from 0."""

    def __init__(self, dataset: IndexedDataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.dataset.name(self.indices[index])

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        return self.dataset[epoch, self.indices[index]]


def load_images(data: TileSettings, run: RunSettings, console: Console, *, keep: bool = True) -> ImageSets:
    """Check, split and open the images that ``data`` names.

    They are cached in memory where they fit, unless ``keep`` is off because each image is read at most once.
    """
    keep_bytes = KEEP_BYTES if keep and not console.dry_run else 0
    if data.data_dir == SYNTHETIC:
        return _load_synthetic(data, run, console, keep_bytes)
    return _load_folder(data, run, console, keep_bytes)


def _load_folder(data: TileSettings, run: RunSettings, console: Console, keep_bytes: int) -> ImageSets:
    folder = Path(data.data_dir)
    refuse_shared_folder(folder, run.output_dir)
    refuse_tars(folder)
    if holds_pair_folders(folder):
        console.say(f"images     {folder} holds pairs: SAR and optical images are trained on alike")
    else:
        _warn_of_layout(folder, console)
    index = scan(folder, on_bad=run.on_bad, exclude=run.output_dir)
    for name, reason in index.bad:
        console.warn(f"left out {name}: {reason}")
    console.say(f"images     {index.summary()}")
    train, held_out = _divide(index, data, run, console)
    small = sum(min(tile.width, tile.height) < data.image_size for tile in index.tiles)
    if small:
        some = f"{small} of {count_noun(len(index.tiles), 'image')} {agree(small, 'is', 'are')}"
        console.warn(f"{some} smaller than --image-size {data.image_size}: enlarged")
    common: dict[str, Any] = {"image_size": data.image_size, "seed": run.seed, "keep_bytes": keep_bytes}
    augmented = TileDataset(train, **common, flip=data.flip, jitter=data.jitter)
    return ImageSets(
        train=augmented,
        plain=augmented.plain(),
        held_out=TileDataset(held_out, **common, flip=0.0, jitter=0.0),
        identity={"split": split_digest(train, held_out), "train": len(train), "held_out": len(held_out)},
    )


def _warn_of_layout(folder: Path, console: Console) -> None:
    """Warn of what looks like sides of pairs, or like one file a band, and is trained on as plain images."""
    for name, reason in find_unread_sides(folder)[:1]:
        console.warn(f"{name}: {reason}")
    try:
        refuse_single_bands(folder)
    except RsforgeError as error:
        console.warn(f"{error.what} ({error.found}): each is taken for an image of its own")


def _divide(index: TileIndex, data: TileSettings, run: RunSettings, console: Console) -> tuple[list[Tile], list[Tile]]:
    """(train, held out): by the stored split if one is followed, else by content."""
    subsets = follow_split(data.split, index, console)
    if subsets is None:
        refuse_mixture((side_of_path(tile.name) for tile in index.tiles), data.split, index.root)
        wanted = data.overlap_by_content
        return divide_by_content(index, data.val_fraction, run.seed, console, overlap_by_content=wanted)
    if "val_fraction" in data.model_fields_set:
        console.warn("--val-fraction is not used: the split says what is held out (--split none ignores it)")
    if not subsets["train"]:
        raise RsforgeError("RSF-D004", "the split leaves nothing to train on", where="--split")
    return subsets["train"], subsets["val"]


def divide_by_content(
    index: TileIndex, val_fraction: float, seed: int, console: Console, *, overlap_by_content: bool
) -> tuple[list[Tile], list[Tile]]:
    """(train, held out) as by ``split_tiles``; images of one scene, as their names tell it, stay together.

    With ``overlap_by_content`` images that share pixels do, too; RSF-D011 where most do and their scenes are unknown.
    """
    if not val_fraction:
        return split_tiles(index, val_fraction=0, seed=seed)
    items, titles = name_scenes([Item(tile.name, (tile.path,)) for tile in index.tiles])
    for title in titles:
        scenes = len({item.scene for item in items if item.scene})
        console.say(f"scenes     {count_noun(scenes, 'scene')} by names: {title}; each stays in one subset")
        if scenes == 1:
            console.warn("all images are tiles of one scene: what is held out lies beside what is trained on")
    digests = {tile.name: (tile.digest,) for tile in index.tiles}
    shared = list_groups(search_shared_pixels(items, digests, console, wanted=overlap_by_content))
    try:
        check_unknown_scenes(items, shared)
    except RsforgeError as error:
        error.where = "--val-fraction"
        error.fix += ", or hold nothing out by --val-fraction 0"
        raise
    return split_tiles(index, val_fraction=val_fraction, seed=seed, together=join_groups(items, shared))


def refuse_shared_folder(images: Path, output: Path) -> None:
    """RSF-U005 when images and output share a folder: a resumed run could not tell its own images from the data."""
    if images.is_dir() and output.is_dir() and images.samefile(output):
        raise RsforgeError(
            "RSF-U005",
            "the folder of images is also the output folder",
            where="--data-dir, --output-dir",
            found=str(images),
            fix="name another --output-dir; a folder below the images will do",
        )


def _load_synthetic(data: TileSettings, run: RunSettings, console: Console, keep_bytes: int) -> ImageSets:
    console.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} synthetic scenes, not satellite images")
    return draw_images(SYNTHETIC_COUNT, data, seed=run.seed, keep_bytes=keep_bytes)


def draw_images(count: int, data: TileSettings, *, seed: int, keep_bytes: int = KEEP_BYTES) -> ImageSets:
    """``count`` synthetic scenes, the last ``val_fraction`` of them held out; RSF-D004 when none remains to train."""
    trained = count - round(count * data.val_fraction)
    if not trained:
        raise RsforgeError("RSF-D004", f"--val-fraction {data.val_fraction:g} leaves nothing to train on")
    flipped = SyntheticTiles(count, image_size=data.image_size, seed=seed, flip=data.flip, keep_bytes=keep_bytes)
    plain = flipped.plain()
    return ImageSets(
        train=SelectedItems(flipped, range(trained)),
        plain=SelectedItems(plain, range(trained)),
        held_out=SelectedItems(plain, range(trained, count)),
        identity={"split": f"{plain.digest} at {trained}", "train": trained, "held_out": count - trained},
    )
