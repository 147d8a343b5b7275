"""The stored split that a command follows: which images of a folder belong to which subset."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from rsforge.data.files.digests import file_digest
from rsforge.data.images.tile_dataset import Tile, TileIndex, split_digest
from rsforge.data.names.sides import are_several
from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.duplicates import Digests, data_digest, shorten_digests
from rsforge.data.splits.split_file import LEAST_IMAGES, LEAST_SCENES, SPLIT_FILE, SUBSETS, Sides, Split, load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console

TilesBySubset = dict[str, list[Tile]]
Members = dict[str, list[str]]
"""The files of each item."""
T = TypeVar("T")


def follow_split(choice: str, index: TileIndex, console: Console) -> TilesBySubset | None:
    """The images of ``index`` by subset, sorted by digest; None where no split is followed.

    RSF-D012 for a split that was made from other images, or other contents under their names.
    """
    path = find_split_file(choice, index.root)
    if path is None:
        return None
    split = load_split(path)
    contents = _digest_contents(index)
    members: Members = {name: [name] for name in contents}
    if split.facts.get("kind") == "pairs":
        members = _pair_members(index)
        contents = {name: tuple(contents[file][0] for file in files) for name, files in members.items()}
    check_split(split, contents, console)
    subsets = {subset: _select_tiles(split.subsets[subset], members, index) for subset in SUBSETS}
    report_split(split, subsets, console)
    return subsets


def refuse_mixture(sides: Iterable[str], choice: str, root: Path) -> None:
    """RSF-D011 where the source states ``sides``, which training on all would mix, unless ``choice`` is none."""
    stated = sorted({side for side in sides if side})
    if choice == "none" or not are_several(stated):
        return
    raise RsforgeError(
        "RSF-D011",
        f"the source states the sides {', '.join(stated)}, which training on all images would mix",
        where=str(root),
        fix=f"keep them by `rsforge data split --data-dir {shlex.quote(str(root))} --by stated`, "
        "or mix them by --split none",
    )


def check_split(split: Split, contents: Digests, console: Console, *, part: bool = False) -> None:
    """RSF-D012 unless the split was made of these contents; with ``part`` it may have been made of more."""
    if part:
        split = _narrow_split(split, contents)
    split.check(contents)
    split.check_contents(data_digest(contents), shorten_digests(contents))
    if split.facts.get("leak"):
        console.warn("the split was made with --allow-leak: held-out figures will be too good")


def _narrow_split(split: Split, contents: Digests) -> Split:
    """The split without the items that are not in ``contents``.

    The digest of all its data cannot be compared with a part of them. It is left out, or made wrong where the short
    digest of an item has changed.
    """
    subsets = {subset: [name for name in names if name in contents] for subset, names in split.subsets.items()}
    facts = {name: fact for name, fact in split.facts.items() if name != "data_digest"}
    before = facts.get("contents", {})
    if any(before.get(name, digest) != digest for name, digest in shorten_digests(contents).items()):
        facts["data_digest"] = ""
    left_out = [name for name in split.left_out if name in contents]
    return replace(split, subsets=subsets, left_out=left_out, facts=facts)


def find_split_file(choice: str, root: Path) -> Path | None:
    """The file of the option ``--split``: none, auto (that of the data folder) or a path (RSF-D012 if missing)."""
    if choice == "none":
        return None
    if choice == "auto":
        in_data_folder = root / SPLIT_FILE
        return in_data_folder if in_data_folder.is_file() else None
    if not Path(choice).is_file():
        raise RsforgeError("RSF-D012", "there is no such split file", where="--split", found=choice)
    return Path(choice)


def _digest_contents(index: TileIndex) -> Digests:
    """The digests of which a split is made: those of all images, including copies and unreadable ones."""
    tiles = {tile.name: tile for tile in index.tiles}
    digests: Digests = {name: (tile.digest,) for name, tile in tiles.items()}
    digests |= {name: (tiles[first].digest,) for name, first in index.duplicates}
    digests |= {name: (digest_bad_file(index.root / name),) for name, _ in index.bad}
    return digests


def digest_bad_file(path: Path) -> str:
    """The digest of a file that is no usable image; RSF-D012 when not even its bytes can be read."""
    try:
        return file_digest(path)
    except RsforgeError as error:
        raise RsforgeError(
            "RSF-D012",
            "whether the split fits is unknown",
            where=str(path),
            found=error.what,
            fix="make the file readable, or divide what is readable again by `rsforge data split --overwrite`",
        ) from None


def _pair_members(index: TileIndex) -> Members:
    """The two images of each pair."""
    items = find_contents(index.root).items
    return {item.name: [path.relative_to(index.root).as_posix() for path in item.paths] for item in items}


def _select_tiles(names: list[str], members: Members, index: TileIndex) -> list[Tile]:
    """The tiles of the items ``names``, without unreadable images and copies, sorted by digest."""
    files = {file for name in names for file in members[name]}
    return sorted((tile for tile in index.tiles if tile.name in files), key=lambda tile: tile.digest)


def report_missing_test(subsets: Mapping[str, Sequence[object]], console: Console) -> None:
    """Report that a split, which a training follows, leaves nothing to judge by but what chooses."""
    if subsets["val"] and not subsets["test"]:
        console.say("sides      the split has no subset test: the best model is judged by what chose it")


def find_scenes(root: Path) -> dict[str, str]:
    """The scenes of images by their names below ``root``, as far as they are known."""
    with suppress(RsforgeError):
        items = find_contents(root).items if root.is_dir() else []
        return {path.relative_to(root).as_posix(): item.scene for item in items for path in item.paths}
    return {}


def report_split(split: Split, subsets: Mapping[str, Sequence[object]], console: Console) -> None:
    """Report which split is followed and the sizes of its subsets."""
    counts = ", ".join(f"{len(members)} {subset}" for subset, members in subsets.items() if members)
    console.say(f"split      by {split.by}: {counts}, digest {split.digest[:12]}")


def report_sides(sides: Sides[Any], console: Console) -> None:
    """Report how a training divided its data by itself, and what judges its best model."""
    counts = ", ".join(f"{len(members)} {subset}" for subset, members in sides.by_name().items() if members)
    by_training = "the best model is chosen by the figures of its training"
    if sides.test and not sides.val:
        console.say(f"sides      {counts}: {by_training}, and judged on test")
    elif sides.test:
        console.say(f"sides      {counts}: the best model is chosen on val, and judged on test")
    elif sides.val:
        console.say(
            f"sides      {counts}: the best model is judged by what chose it, since a third side wants {LEAST_IMAGES} "
            f"images or {LEAST_SCENES} scenes in each, or --test-fraction"
        )
    else:
        console.say(f"sides      {counts}: nothing is held out: {by_training}, and no image judges it")


def select_subset(choice: str, subset: str, index: TileIndex, console: Console, *, trained: str) -> list[Tile]:
    """The images of ``subset`` to measure, with a warning where the checkpoint was trained by another split.

    ``trained`` is the digest of the split in the checkpoint. RSF-U005 when there is no split, RSF-D004 for an empty
    subset.
    """
    if subset == "all":
        return index.tiles
    subsets = follow_split(choice, index, console)
    if subsets is None:
        raise no_split_error(choice, subset, index.root)
    ours = split_digest(subsets["train"], subsets["val"]) == trained
    return require_subset(subsets, subset, console, ours=ours)


def no_split_error(choice: str, subset: str, root: Path) -> RsforgeError:
    """RSF-U005 for a subset that is asked for where there is no split."""
    found = "--split none" if choice == "none" else f"no {SPLIT_FILE} in {root}"
    return RsforgeError("RSF-U005", f"--side {subset} needs a split", where="--side, --split", found=found)


def require_subset(subsets: Mapping[str, list[T]], subset: str, console: Console, *, ours: bool) -> list[T]:
    """The members of ``subset``; RSF-D004 for none, a warning unless the split is that of the checkpoint (``ours``)."""
    if not subsets[subset]:
        raise RsforgeError("RSF-D004", f"the split has no images in its subset {subset}", where="--side")
    if not ours:
        console.warn(f"the checkpoint was not trained by this split: it may have seen images of the subset {subset}")
    return subsets[subset]
