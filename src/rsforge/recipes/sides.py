"""The split that a command follows: which images of a folder stand on which side."""

from __future__ import annotations

from pathlib import Path

from rsforge.data.contents import Digests, data_digest, file_digest
from rsforge.data.split_file import SIDES, SPLIT_FILE, Split, load_split
from rsforge.data.tiles import Tile, TileIndex
from rsforge.errors import RsforgeError
from rsforge.recipes.voice import Voice

Sides = dict[str, list[Tile]]


def followed(choice: str, index: TileIndex, show: Voice) -> Sides | None:
    """The images of ``index`` by side, each in the order of their contents; None where no split is followed.

    A split that was made from other images, or from other contents under their names, raises RSF-D012.
    """
    beside = index.root / SPLIT_FILE
    if choice == "none" or (choice == "auto" and not beside.is_file()):
        return None
    split = load_split(beside if choice == "auto" else Path(choice))
    names = {tile.name: tile for tile in index.tiles}
    contents = _contents(index, names)
    split.check(contents)
    split.check_contents(data_digest(contents))
    if split.facts.get("leak"):
        show.warn("the split leaks, as it was allowed to: held-out figures will flatter")
    sides = {side: _there(split.sides[side], names) for side in SIDES}
    show.say(f"split      {_told(split, sides)}")
    return sides


def _contents(index: TileIndex, names: dict[str, Tile]) -> Digests:
    """What the split was made of: every image's digest, also of those that cannot be read and of copies."""
    copies: Digests = {name: (names[kept].digest,) for name, kept in index.duplicates}
    bad = {name: (file_digest(index.root / name),) for name, _ in index.bad}
    return {name: (tile.digest,) for name, tile in names.items()} | copies | bad


def _there(members: list[str], names: dict[str, Tile]) -> list[Tile]:
    """Those of a side that can be read and are no copy of another."""
    return sorted((names[name] for name in members if name in names), key=lambda tile: tile.digest)


def _told(split: Split, sides: Sides) -> str:
    counts = ", ".join(f"{len(tiles)} {side}" for side, tiles in sides.items() if tiles)
    return f"by {split.by}: {counts}, digest {split.digest[:12]}"


def one_side(choice: str, side: str, index: TileIndex, show: Voice) -> list[Tile]:
    """The images to measure; RSF-U005 when a side is wanted and there is no split, RSF-D004 when it is empty."""
    if side == "all":
        return index.tiles
    sides = followed(choice, index, show)
    if sides is None:
        found = f"no {SPLIT_FILE} in {index.root}"
        raise RsforgeError("RSF-U005", f"--side {side} needs a split", where="--side, --split", found=found)
    if not sides.get(side):
        raise RsforgeError("RSF-D004", f"the split has no images on its side {side}", where="--side")
    return sides[side]
