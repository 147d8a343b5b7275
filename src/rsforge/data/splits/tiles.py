"""The split of single images by their bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rsforge.data.splits.groups import choose_groups
from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import find_overlaps
from rsforge.data.splits.overlap import DisjointSet
from rsforge.data.splits.split_file import LEAST_IMAGES, Sides
from rsforge.data.splits.split_request import DuplicateGroups
from rsforge.errors import RsforgeError
from rsforge.seeds import derive
from rsforge.wording import count_noun

if TYPE_CHECKING:  # torch takes more than a second to import, which no command of data needs
    from rsforge.data.images.tile_dataset import Tile, TileIndex

MOST_OVERLAPPING = 0.5
"""Share of images of unknown scenes that overlap others, from which on they are the tiles of a cut."""
LEAST_TILES = 4  # that hang together: fewer may be two crops of one place


def split_tiles(
    index: TileIndex,
    *,
    val_fraction: float,
    seed: int,
    test_fraction: float | None = 0.0,
    together: DuplicateGroups = (),
) -> Sides[Tile]:
    """Train, val and test, each sorted by digest; the subset of an image depends on all bytes and ``seed`` alone.

    ``together`` are groups of names that stay in one subset; no name is in two of them. A positive ``val_fraction`` of
    two or more images puts at least one into ``val``, whose images are the same whatever becomes ``test``. None for
    ``test_fraction`` is that of ``val`` where it leaves ``LEAST_IMAGES`` on either side and one to train on, else 0.
    RSF-D004 for an empty ``train``, or where one group holds all.
    """
    tiles = sorted(index.tiles, key=lambda tile: derive(seed, "split", tile.digest))
    count = round(len(tiles) * val_fraction)
    if val_fraction > 0 and len(tiles) > 1:
        count = max(count, 1)
    if count >= len(tiles):
        what = f"a validation fraction of {val_fraction:g} leaves none of {count_noun(len(tiles), 'image')} to train on"
        raise RsforgeError("RSF-D004", what, where=str(index.root))
    groups = _group_tiles(tiles, together)
    if count and len(groups) == 1:
        raise _one_group_error(index)
    rest, val = _take_groups(groups, count)
    if test_fraction is None:
        enough = min(count, sum(map(len, val.values()))) >= LEAST_IMAGES
        test_fraction = val_fraction if enough and count < sum(map(len, rest.values())) else 0.0
    wanted = max(1, round(len(tiles) * test_fraction)) if test_fraction else 0
    if wanted and (len(rest) < 2 or wanted >= sum(map(len, rest.values()))):
        what = f"a test fraction of {test_fraction:g} leaves none of {count_noun(len(tiles), 'image')} to train on"
        raise RsforgeError("RSF-D004", what, where=str(index.root))
    train, test = _take_groups(rest, wanted)
    return Sides(*(sorted((t for one in side.values() for t in one), key=_digest_of) for side in (train, val, test)))


def _take_groups(groups: dict[str, list[Tile]], count: int) -> tuple[dict[str, list[Tile]], dict[str, list[Tile]]]:
    """The groups without those that together hold about ``count`` tiles, and those."""
    chosen = choose_groups(list(groups), {label: len(own) for label, own in groups.items()}, count) if count else set()
    kept = {label: own for label, own in groups.items() if label not in chosen}
    return kept, {label: groups[label] for label in groups if label in chosen}


def join_groups(items: Sequence[Item], shared: DuplicateGroups) -> list[list[str]]:
    """Names that stay in one subset, in sorted groups: those of one scene, and of ``shared`` pixels, transitively.

    A scene of all images joins nothing, because it could not be divided, unless windows are known and overlap.
    """
    sets = DisjointSet()
    for names in shared:
        for name in names[1:]:
            sets.join(("item", names[0]), ("item", name))
    scenes = {item.scene for item in items if item.scene}
    is_one = len(scenes) == 1 and all(item.scene for item in items)
    if not is_one or next(find_overlaps(items), None):
        for item in items:
            if item.scene:
                sets.join(("item", item.name), ("scene", item.scene))
    groups: dict[object, list[str]] = {}
    for item in sorted(items, key=lambda item: item.name):
        groups.setdefault(sets.find_root(("item", item.name)), []).append(item.name)
    return sorted(names for names in groups.values() if len(names) > 1)


def check_unknown_scenes(items: Sequence[Item], shared: DuplicateGroups) -> None:
    """RSF-D011 where most images hang together by ``shared`` pixels in large groups and nothing tells their scenes.

    They were cut with an overlap, and not every overlap is seen: tiles of one scene would stand on both sides.
    """
    unknown = {item.name for item in items if item.scene in ("", item.name)}
    overlapping = unknown & {name for names in shared if len(names) >= LEAST_TILES for name in names}
    if len(overlapping) < MOST_OVERLAPPING * max(len(items), 1):
        return
    first = min(overlapping)
    folders = {name.rpartition("/")[0] for name in unknown}
    fix = (
        "accept it with `rsforge data split --allow-leak`, or where they only look alike train with "
        "--no-overlap-by-content"
    )
    if len(folders) > 1:
        fix = f"divide by folders with `rsforge data split --by region`, or {fix}"
    else:
        fix = f"name them by scene and place, as SCENE_r00000_c00256, or {fix}"
    raise RsforgeError(
        "RSF-D011",
        f"{len(overlapping)} of {count_noun(len(items), 'image')} share pixels with others, and their scenes are "
        "unknown: tiles of one scene could be in different subsets",
        found=f"{first}, ...",
        fix=fix,
    )


def _group_tiles(tiles: Sequence[Tile], together: DuplicateGroups) -> dict[str, list[Tile]]:
    """The tiles by group, in the order of the first tile of each."""
    labels = {name: names[0] for names in together for name in names}
    groups: dict[str, list[Tile]] = {}
    for tile in tiles:
        groups.setdefault(labels.get(tile.name, tile.digest), []).append(tile)
    return groups


def _one_group_error(index: TileIndex) -> RsforgeError:
    return RsforgeError(
        "RSF-D004",
        f"all of {count_noun(len(index.tiles), 'image')} hang together by shared pixels or their scene: none can be "
        "held out",
        where=str(index.root),
        fix="add images of other places, divide them by `rsforge data split --by block` where windows are known, "
        "accept the leak by --no-overlap-by-content, or hold nothing out by --val-fraction 0",
    )


def _digest_of(tile: Tile) -> str:
    return tile.digest
