"""The split of single images by their bytes alone."""

from __future__ import annotations

from collections.abc import Sequence

from rsforge.data.images.tile_dataset import Tile, TileIndex
from rsforge.data.splits.groups import choose_groups
from rsforge.data.splits.split_request import DuplicateGroups
from rsforge.errors import RsforgeError
from rsforge.seeds import derive
from rsforge.wording import count_noun


def split_tiles(
    index: TileIndex, *, val_fraction: float, seed: int, together: DuplicateGroups = ()
) -> tuple[list[Tile], list[Tile]]:
    """(train, val), each sorted by digest; the subset of an image depends on the images' bytes and ``seed`` alone.

    ``together`` are groups of names that stay in one subset; no name is in two of them. A positive ``val_fraction`` of
    two or more images puts at least one into ``val``. RSF-D004 for an empty ``train``, or where one group holds all.
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
    sizes = {label: len(members) for label, members in groups.items()}
    chosen = choose_groups(list(groups), sizes, count) if count else set()
    train, val = (
        [tile for label in groups if (label in chosen) == held_out for tile in groups[label]]
        for held_out in (False, True)
    )
    return sorted(train, key=_digest_of), sorted(val, key=_digest_of)


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
        f"all of {count_noun(len(index.tiles), 'image')} hang together by shared pixels: none can be held out",
        where=str(index.root),
        fix="add images of other places, divide them by `rsforge data split --by block` where windows are known, "
        "accept the leak by --no-overlap-by-content, or hold nothing out by --val-fraction 0",
    )


def _digest_of(tile: Tile) -> str:
    return tile.digest
