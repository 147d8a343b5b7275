"""Training and held-out images from the options of the section Data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsforge.data.captions.webdataset import refuse_tars
from rsforge.data.files.walk import find_beside, find_images
from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex, scan, split_digest
from rsforge.data.names.sides import side_of_path
from rsforge.data.pairs.layouts import holds_pair_folders
from rsforge.data.pairs.nested_layouts import find_unread_sides
from rsforge.data.splits import single_items
from rsforge.data.splits.items import Item
from rsforge.data.splits.shared_pixels import list_groups
from rsforge.data.splits.split_file import LEAST_IMAGES, Sides
from rsforge.data.splits.tiles import check_unknown_scenes, join_groups, split_tiles
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes import views
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.named_samples import NoSamples, name_scenes, require_data, unknown_scenes
from rsforge.recipes.datasets.stored_split import (
    find_scenes,
    follow_split,
    refuse_mixture,
    report_missing_test,
    report_sides,
)
from rsforge.recipes.selected_items import SelectedItems
from rsforge.recipes.shared_pixels import search_shared_pixels
from rsforge.settings.base import RunSettings
from rsforge.settings.images import TileSettings
from rsforge.wording import agree, count_noun, join_first

SYNTHETIC = "synthetic"
SYNTHETIC_COUNT = 512
KEEP_BYTES = 1 << 30


@dataclass(frozen=True)
class ImageSets:
    """Training images with augmentation (``train``) and without (``plain``), held-out images, and their identity.

    ``held_out`` choose the best epoch, ``test`` judge it, where there are any. ``scenes`` names those of some of them.
    """

    train: IndexedDataset
    plain: IndexedDataset
    held_out: IndexedDataset
    identity: dict[str, Any]
    test: IndexedDataset = field(default_factory=NoSamples)
    scenes: Callable[[IndexedDataset], list[str]] = unknown_scenes


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
    files = find_images(folder, exclude=run.output_dir)
    if beside := find_beside(folder, files):
        console.warn(f"left out {count_noun(len(beside), 'file')} beside the bands of sets: {join_first(beside, 3)}")
    view = views.settle_single(folder, files, data, console)
    index = scan(folder, on_bad=run.on_bad, exclude=run.output_dir, view=view)
    for name, reason in index.bad:
        console.warn(f"left out {name}: {reason}")
    views.warn_of_unread(index.unread, console)
    console.say(f"images     {index.summary()}")
    sides = _divide(index, data, run, console)
    small = sum(min(tile.width, tile.height) < data.image_size for tile in index.tiles)
    if small:
        some = f"{small} of {count_noun(len(index.tiles), 'image')} {agree(small, 'is', 'are')}"
        console.warn(f"{some} smaller than --image-size {data.image_size}: enlarged")
    views.say_gaps([tile.gaps for tile in index.tiles], "image", console)
    common: dict[str, Any] = {"image_size": data.image_size, "seed": run.seed, "keep_bytes": keep_bytes}
    augmented = TileDataset(sides.train, **common, flip=data.flip, jitter=data.jitter)
    plain, held_out = augmented.plain(), TileDataset(sides.val, **common, flip=0.0, jitter=0.0)
    require_data(train=plain, val=held_out)
    return ImageSets(
        train=augmented,
        plain=plain,
        held_out=held_out,
        identity=identify_sides(sides) | views.describe_view(view),
        test=TileDataset(sides.test, **common, flip=0.0, jitter=0.0),
        scenes=lambda samples: name_scenes(find_scenes(folder), samples),
    )


def _warn_of_layout(folder: Path, console: Console) -> None:
    """Warn of what looks like sides of pairs and is trained on as plain images."""
    for name, reason in find_unread_sides(folder)[:1]:
        console.warn(f"{name}: {reason}")


def identify_sides(sides: Sides[Any]) -> dict[str, Any]:
    """What a checkpoint says of the division: the digest of what trains and chooses, and the sizes.

    What judges has no part in the digest: it does not change the training.
    """
    return {"split": split_digest(sides.train, sides.val), **count_samples(*map(len, sides))}


def count_samples(train: int, val: int, test: int) -> dict[str, int]:
    """The sizes of an identity; without a third side there is none, as before there were any."""
    return {"train": train, "held_out": val, **({"test": test} if test else {})}


def _divide(index: TileIndex, data: TileSettings, run: RunSettings, console: Console) -> Sides[Tile]:
    """By the stored split if one is followed, else by content."""
    subsets = follow_split(data.split, index, console)
    if subsets is None:
        refuse_mixture((side_of_path(tile.name) for tile in index.tiles), data.split, index.root)
        shares, wanted = (data.val_fraction, data.test_fraction), data.overlap_by_content
        sides = divide_by_content(index, shares, run.seed, console, overlap_by_content=wanted)
        report_sides(sides, console)
        return sides
    if "val_fraction" in data.model_fields_set:
        console.warn("--val-fraction is not used: the split says what is held out (--split none ignores it)")
    if not subsets["train"]:
        raise RsforgeError("RSF-D004", "the split leaves nothing to train on", where="--split")
    report_missing_test(subsets, console)
    return Sides(**subsets)


def divide_by_content(
    index: TileIndex, shares: tuple[float, float | None], seed: int, console: Console, *, overlap_by_content: bool
) -> Sides[Tile]:
    """As by ``split_tiles`` with ``shares`` of val and test; images of one scene, as names tell it, stay together.

    With ``overlap_by_content`` images that share pixels do, too; RSF-D011 where most do and their scenes are unknown.
    """
    val, test = shares
    if not any(shares):
        return split_tiles(index, val_fraction=0, seed=seed)
    items, titles = single_items.name_scenes([Item(tile.name, (tile.path,)) for tile in index.tiles])
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
        error.fix += ", or hold nothing out by --val-fraction 0 --test-fraction 0"
        raise
    together = join_groups(items, shared)
    return split_tiles(index, val_fraction=val, test_fraction=test, seed=seed, together=together)


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
    sets = draw_images(SYNTHETIC_COUNT, data, seed=run.seed, keep_bytes=keep_bytes)
    places = (range(len(sets.train)), range(len(sets.held_out)), range(len(sets.test)))
    report_sides(Sides(*map(list, places)), console)
    return sets


def count_sides(count: int, val_fraction: float, test_fraction: float | None) -> tuple[int, int, int]:
    """How many of ``count`` scenes train, choose and judge; RSF-D004 when none remains to train."""
    val = round(count * val_fraction)
    if test_fraction is None:
        test_fraction = val_fraction if val >= LEAST_IMAGES and 2 * val < count else 0.0
    test = round(count * test_fraction)
    if val + test >= count:
        shares = f"--val-fraction {val_fraction:g}" + (f" and --test-fraction {test_fraction:g}" if test else "")
        raise RsforgeError("RSF-D004", f"{shares} {'leave' if test else 'leaves'} nothing to train on")
    return count - val - test, val, test


def name_drawn(digest: str, count: int, val: int, test: int) -> str:
    """The division of ``count`` drawn samples as a checkpoint says it."""
    return f"{digest} at {count - val - test}" + (f" and {count - val}" if test else "")


def draw_images(count: int, data: TileSettings, *, seed: int, keep_bytes: int = KEEP_BYTES) -> ImageSets:
    """``count`` synthetic scenes, the last of them held out, those for judging before; RSF-D004 as ``count_sides``."""
    trained, val, test = count_sides(count, data.val_fraction, data.test_fraction)
    flipped = SyntheticTiles(count, image_size=data.image_size, seed=seed, flip=data.flip, keep_bytes=keep_bytes)
    plain = flipped.plain()
    return ImageSets(
        train=SelectedItems(flipped, range(trained)),
        plain=SelectedItems(plain, range(trained)),
        held_out=SelectedItems(plain, range(count - val, count)),
        identity={"split": name_drawn(plain.digest, count, val, test), **count_samples(trained, val, test)},
        test=SelectedItems(plain, range(trained, count - val)),
        scenes=lambda samples: [samples.name(index) for index in range(len(samples))],
    )
