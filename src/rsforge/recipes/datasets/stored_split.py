"""The split that a command follows: which images of a folder stand on which side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rsforge.data.images.tile_dataset import Tile, TileIndex, split_digest
from rsforge.data.io.digests import file_digest
from rsforge.data.splits.duplicates import Digests, brief, data_digest
from rsforge.data.splits.items import items_of
from rsforge.data.splits.split_file import SIDES, SPLIT_FILE, Split, load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console

Sides = dict[str, list[Tile]]
Members = dict[str, list[str]]
H = TypeVar("H")


def followed(choice: str, index: TileIndex, show: Console) -> Sides | None:
    """The images of ``index`` by side, each in the order of their contents; None where no split is followed.

    A split that was made from other images, or from other contents under their names, raises RSF-D012.
    """
    path = chosen(choice, index.root)
    if path is None:
        return None
    split, contents = load_split(path), _contents(index)
    members: Members = {name: [name] for name in contents}
    if split.facts.get("kind") == "pairs":
        members = _pairs(index)
        contents = {name: tuple(contents[file][0] for file in files) for name, files in members.items()}
    check(split, contents, show)
    sides = {side: _there(split.sides[side], members, index) for side in SIDES}
    say(split, sides, show)
    return sides


def check(split: Split, contents: Digests, show: Console, *, part: bool = False) -> None:
    """RSF-D012 unless the split was made of these contents, or where they are a ``part``, of these and more."""
    if part:
        split = _narrowed(split, contents)
    split.check(contents)
    split.check_contents(data_digest(contents), brief(contents))
    if split.facts.get("leak"):
        show.warn("the split leaks, as it was allowed to: held-out figures will flatter")


def _narrowed(split: Split, contents: Digests) -> Split:
    """The split of those of its items that are there."""
    sides = {side: [name for name in names if name in contents] for side, names in split.sides.items()}
    facts = {name: fact for name, fact in split.facts.items() if name != "data_digest"}
    then = facts.get("contents", {})
    if any(then.get(name, digest) != digest for name, digest in brief(contents).items()):
        facts["data_digest"] = ""
    return replace(split, sides=sides, left_out=[name for name in split.left_out if name in contents], facts=facts)


def chosen(choice: str, root: Path) -> Path | None:
    """The split file of ``--split``, if there is one; RSF-D012 for one that is named and not there."""
    if choice == "none":
        return None
    beside = root / SPLIT_FILE
    if choice == "auto":
        return beside if beside.is_file() else None
    if not Path(choice).is_file():
        raise RsforgeError("RSF-D012", "there is no such split file", where="--split", found=choice)
    return Path(choice)


def _contents(index: TileIndex) -> Digests:
    """What the split was made of: every image's digest, also of those that cannot be read and of copies."""
    names = {tile.name: tile for tile in index.tiles}
    copies: Digests = {name: (names[kept].digest,) for name, kept in index.duplicates}
    bad = {name: (digest_of_bad(index.root / name),) for name, _ in index.bad}
    return {name: (tile.digest,) for name, tile in names.items()} | copies | bad


def digest_of_bad(path: Path) -> str:
    """The digest of a file that is no image; RSF-D012 when it cannot even be read."""
    try:
        return file_digest(path)
    except RsforgeError as error:
        raise RsforgeError(
            "RSF-D012", "whether the split fits cannot be told", where=str(path), found=error.what,
            fix="make the file readable, or divide what is readable again by `rsforge data split --overwrite`",
        ) from None  # fmt: skip


def _pairs(index: TileIndex) -> Members:
    """The images of each pair: both of them stand on its side."""
    items = items_of(index.root).items
    return {item.name: [path.relative_to(index.root).as_posix() for path in item.paths] for item in items}


def _there(chosen: list[str], members: Members, index: TileIndex) -> list[Tile]:
    """Those of a side that can be read and are no copy of another."""
    names = {file for name in chosen for file in members[name]}
    return sorted((tile for tile in index.tiles if tile.name in names), key=lambda tile: tile.digest)


def say(split: Split, sides: Mapping[str, Sequence[object]], show: Console) -> None:
    """Tell which split is followed and what stands on its sides."""
    counts = ", ".join(f"{len(members)} {side}" for side, members in sides.items() if members)
    show.say(f"split      by {split.by}: {counts}, digest {split.digest[:12]}")


def one_side(choice: str, side: str, index: TileIndex, show: Console, *, trained: str) -> list[Tile]:
    """The images to measure, with a warning where the checkpoint was not trained by this split.

    ``trained`` is what the checkpoint says of its own. RSF-U005 when a side is wanted and there is no split,
    RSF-D004 when it is empty.
    """
    if side == "all":
        return index.tiles
    sides = followed(choice, index, show)
    if sides is None:
        raise unsided(choice, side, index.root)
    return measured(sides, side, show, ours=split_digest(sides["train"], sides["val"]) == trained)


def unsided(choice: str, side: str, root: Path) -> RsforgeError:
    """A side is wanted and there is no split."""
    found = "--split none" if choice == "none" else f"no {SPLIT_FILE} in {root}"
    return RsforgeError("RSF-U005", f"--side {side} needs a split", where="--side, --split", found=found)


def measured(sides: Mapping[str, list[H]], side: str, show: Console, *, ours: bool) -> list[H]:
    """What stands on ``side``; RSF-D004 for nothing, a warning where the split is not ``ours``, the checkpoint's."""
    if not sides[side]:
        raise RsforgeError("RSF-D004", f"the split has no images on its side {side}", where="--side")
    if not ours:
        show.warn(f"the checkpoint was not trained by this split: it may have seen images of the side {side}")
    return sides[side]
