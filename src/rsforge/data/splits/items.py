"""The items that splits divide and audits inspect: pairs, images, or patches in a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.io.georeference import Footprint
from rsforge.data.io.windows import Window
from rsforge.data.names.sides import side_of_path, side_of_word
from rsforge.data.pairs.pair import Pair
from rsforge.data.views.view import PLAIN, View

Lonlat = tuple[float, float]
Findings = list[tuple[str, str]]
"""File, table line or item, and the reason why it is named."""


@dataclass(frozen=True)
class Item:
    """One item; ``paths`` are its files (SAR first), ``row`` its index in an HDF5 file; "" and None mean unknown.

    ``window`` is in pixels of the scene, ``footprint`` in pixels of the ground; ``coordinates`` are (longitude,
    latitude) in degrees; ``side`` is the subset (train, val, test) that the source of the data states. ``views`` say
    how each of the files is read; without any, as by default.
    """

    name: str
    paths: tuple[Path, ...]
    scene: str = ""
    window: Window | None = None
    region: str = ""
    coordinates: Lonlat | None = None
    terrain: str = ""
    season: str = ""
    country: str = ""
    row: int | None = None
    views: tuple[View, ...] = ()
    footprint: Footprint | None = None
    side: str = ""

    def view(self, place: int) -> View:
        """How the file at ``place`` of ``paths`` is read."""
        return self.views[place] if self.views else PLAIN

    @property
    def windows_by_plane(self) -> dict[str, Window]:
        """The item's windows by the plane in which they lie: first its scene, then the ground."""
        windows: dict[str, Window] = {}
        if self.scene and self.window:
            windows[self.scene] = self.window
        if self.footprint:
            windows[self.footprint.plane] = self.footprint.window
        return windows


@dataclass(frozen=True)
class SharedPixels:
    """Two items, by name, that show the same pixels.

    ``share`` is that of the smaller image; the upper left pixel of the second image lies at ``offset``, as (rows,
    cols), in the first; ``correlation`` (0.7 to 1) is that of the details of both in the shared rectangle.
    """

    names: tuple[str, str]
    share: float
    offset: tuple[int, int]
    correlation: float

    def describe(self) -> str:
        """What the second item has to do with the first."""
        rows, cols = self.offset
        return f"{self.share:.0%} of their pixels are the same, {rows} rows and {cols} columns apart"


@dataclass(frozen=True)
class DatasetContents:
    """The items of a data folder, and what is wrong with it; ``sets`` are the folders of a merged one.

    ``kind`` is pairs, tiles, captions or patches. ``orphans`` lack a partner, ``problems`` and ``warnings`` concern
    tables, folders and grids, ``unclaimed_files`` are images that belong to no item, ``notes`` say how the folder was
    read.
    """

    root: Path
    kind: str
    items: list[Item]
    orphans: Findings = field(default_factory=list)
    problems: Findings = field(default_factory=list)
    warnings: Findings = field(default_factory=list)
    unclaimed_files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sets: list[Path] = field(default_factory=list)

    @property
    def sides(self) -> dict[str, int]:
        """The number of items of each side that the source states; empty unless there are several sides."""
        counts = Counter(item.side for item in self.items if item.side)
        return {side: counts[side] for side in ("train", "val", "test") if counts[side]} if len(counts) > 1 else {}

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the files of an item are, in their order: sar and optical, patch, or image."""
        if self.kind == "pairs":
            return ("sar", "optical")
        return ("patch",) if self.kind == "patches" else ("image",)


def item_of_pair(pair: Pair) -> Item:
    """A pair as one item of two files."""
    return Item(
        name=pair.name,
        paths=(pair.sar, pair.optical),
        scene=pair.scene,
        window=pair.window,
        region=pair.region,
        coordinates=pair.coordinates,
        terrain=pair.terrain,
        season=pair.season,
        country=pair.country,
        footprint=pair.footprint,
        side=side_of_word(pair.metadata.get("split")) or side_of_path(pair.name),
    )
