"""Items of a data set that stand nowhere on disk."""

from __future__ import annotations

from pathlib import Path

from rsforge.data.io.windows import list_windows
from rsforge.data.splits.items import Item
from rsforge.data.splits.split_file import Split


def item(name: str, **facts) -> Item:
    return Item(name, (Path(name),), **facts)


def cut(stride: int, extent: int = 512, size: int = 64, scene: str = "s") -> list[Item]:
    return [item(f"{scene}/{w.row}_{w.col}", scene=scene, window=w) for w in list_windows(extent, extent, size, stride)]


def scene_items(count: int, patches: int) -> list[Item]:
    """``count`` scenes of ``patches`` items each, without windows."""
    return [item(f"s{s}/p{p}", scene=f"s{s}") for s in range(count) for p in range(patches)]


def subsets_of(split: Split) -> dict[str, str]:
    return {name: subset for subset, names in split.subsets.items() for name in names}


class Named:
    """A data set of some values, each named as it is written."""

    def __init__(self, values) -> None:
        self.values = list(values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: tuple[int, int]):
        return self.values[key[1]]

    def name(self, index: int) -> str:
        return str(self.values[index])
