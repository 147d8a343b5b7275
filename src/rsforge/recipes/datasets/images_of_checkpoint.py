"""The images that an autoencoder was trained on, and those it was not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rsforge.data.files.stack_paths import is_file
from rsforge.data.files.walk import find_images
from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex, scan, scan_one, split_digest
from rsforge.data.splits.split_file import SUBSETS, Sides
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes import views
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import measured_subset, stored_split
from rsforge.recipes.datasets.image_folder import (
    SYNTHETIC,
    SYNTHETIC_COUNT,
    count_sides,
    divide_by_content,
    name_drawn,
)
from rsforge.recipes.datasets.measured_subset import MeasuredSubset, choose_subset, settings_of, trained_digest
from rsforge.recipes.selected_items import SelectedItems
from rsforge.settings.views import NO_OPTIONS, ViewSettings

OnBad = Literal["error", "skip"]
Divided = Sides[Tile]


class ChosenImages(NamedTuple):
    """The images to measure; the other fields are those of ``MeasuredSubset``."""

    tiles: list[Tile]
    subset: str
    reason: str = ""
    trained: int | None = None
    own: bool = False


@dataclass(frozen=True)
class ImageFolder:
    """Images beside a checkpoint's ``state``; ``split`` is the choice of a stored split.

    With ``used`` the images of these names alone count, as in a training that left the others out.
    """

    index: TileIndex
    split: str
    state: Mapping[str, Any]
    console: Console
    used: Collection[str] | None = None

    @property
    def tiles(self) -> list[Tile]:
        return self.keep(self.index.tiles)

    def keep(self, tiles: list[Tile]) -> list[Tile]:
        """Those of ``tiles`` that count."""
        return tiles if self.used is None else [tile for tile in tiles if tile.name in self.used]

    def follow(self, console: Console) -> stored_split.TilesBySubset | None:
        """The images by subset, where a split is followed."""
        subsets = stored_split.follow_split(self.split, self.index, console)
        return None if subsets is None else {name: self.keep(tiles) for name, tiles in subsets.items()}

    @property
    def is_split(self) -> bool:
        return stored_split.find_split_file(self.split, self.index.root) is not None


def open_images(
    place: str,
    image_size: int,
    console: Console,
    *,
    state: Mapping[str, Any],
    data: ViewSettings = NO_OPTIONS,
    on_bad: OnBad = "error",
) -> IndexedDataset:
    """All images of a folder, one image, or synthetic ones, as they are, read as ``data`` or else ``state`` says."""
    if place == SYNTHETIC:
        return _draw(image_size, 0, console)
    return _open_tiles(scan_images(Path(place), on_bad, None, console, state, data).tiles, image_size)


def open_subset(
    place: str,
    choice: str,
    console: Console,
    *,
    split_choice: str,
    image_size: int,
    on_bad: OnBad,
    state: Mapping[str, Any],
    exclude: Path,
    data: ViewSettings = NO_OPTIONS,
) -> MeasuredSubset:
    """The images of a subset as the checkpoint ``state`` knows them; pictures below its folder ``exclude`` are none.

    ``choice`` auto is test where a split is followed that has one, else val, and all where nothing was held out or
    these are other images than those of the training. Without a split the division of the training is made again.
    RSF-U005 when there is none to make, RSF-D012 when it is another one, RSF-D004 for an empty subset.
    """
    if place == SYNTHETIC:
        return _open_drawn(choice, image_size, console, state)
    index = scan_images(Path(place), on_bad, exclude, console, state, data)
    chosen = choose_images(ImageFolder(index, split_choice, state, console), choice)
    measured_subset.say_choice(chosen.subset, chosen.reason, console)
    measured_subset.warn_trained(chosen.trained, len(chosen.tiles), chosen.subset, "images", console)
    scenes = stored_split.find_scenes(index.root)
    return MeasuredSubset(
        _open_tiles(chosen.tiles, image_size),
        [scenes.get(tile.name, "") for tile in chosen.tiles],
        chosen.subset,
        chosen.reason,
        chosen.trained,
        chosen.own,
    )


def count_trained(
    place: str,
    measured: MeasuredSubset,
    *,
    split_choice: str,
    on_bad: OnBad,
    state: Mapping[str, Any],
    exclude: Path,
    data: ViewSettings = NO_OPTIONS,
) -> int | None:
    """How many of the ``measured`` images of a folder another model, of the checkpoint ``state``, was trained on.

    None where its division cannot be made again. The folder is scanned as that model reads it.
    """
    if place == SYNTHETIC:
        return None
    index = scan_images(Path(place), on_bad, exclude, SilentConsole(), state, data)
    divided = divide_as_trained(ImageFolder(index, split_choice, state, SilentConsole()))
    if divided is None:
        return None
    trained = {tile.name for tile in divided.train}
    return sum(measured.samples.name(k) in trained for k in range(len(measured.samples)))


def scan_images(
    place: Path,
    on_bad: OnBad,
    exclude: Path | None,
    console: Console,
    state: Mapping[str, Any],
    data: ViewSettings,
) -> TileIndex:
    """The images of a folder, or one image, read as ``data`` says, else as the checkpoint ``state`` does.

    Pictures below the folder ``exclude`` are none.
    """
    below = _below(exclude, place)
    files = [place] if is_file(place) else find_images(place, exclude=below)
    view = views.settle_as_trained(state, files, data, console)
    index = scan_one(place, view) if is_file(place) else scan(place, on_bad=on_bad, exclude=below, view=view)
    views.warn_of_unread(index.unread, console)
    for name, reason in index.bad:
        console.warn(f"left out {name}: {reason}")
    console.say(f"images     {index.summary()}")
    return index


def _below(folder: Path | None, place: Path) -> Path | None:
    """``folder`` where it lies below ``place``."""
    if folder is not None and place.resolve() in folder.resolve().parents:
        return folder
    return None


def _open_tiles(tiles: Sequence[Tile], image_size: int) -> TileDataset:
    return TileDataset(tiles, image_size=image_size, seed=0, flip=0.0, jitter=0.0)


def _draw(image_size: int, seed: int, console: Console) -> SyntheticTiles:
    console.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} synthetic scenes, not satellite images")
    return SyntheticTiles(SYNTHETIC_COUNT, image_size=image_size, seed=seed)


def choose_images(folder: ImageFolder, choice: str) -> ChosenImages:
    """The images of a subset, as ``open_subset`` chooses them."""
    if choice == "all":
        return _choose_all(folder, "")
    if folder.is_split or (choice == "test" and not measured_subset.count_test(folder.state)):
        return _choose_by_split(folder, choice)
    if choice == "auto":
        return _choose_held_out(folder)
    return _choose_of_training(folder, choice)


def _choose_all(folder: ImageFolder, reason: str) -> ChosenImages:
    divided = divide_as_trained(folder)
    return ChosenImages(folder.tiles, "all", reason, trained=len(divided[0]) if divided else None)


def _choose_by_split(folder: ImageFolder, choice: str) -> ChosenImages:
    subsets = folder.follow(folder.console)
    if subsets is None:
        raise stored_split.no_split_error(folder.split, choice, folder.index.root)
    subset, reason = choose_subset(choice, subsets)
    if subset == "all":
        return _choose_all(folder, reason)
    own = split_digest(subsets["train"], subsets["val"]) == trained_digest(folder.state)
    tiles = stored_split.require_subset(subsets, subset, folder.console, ours=own)
    trained = len(tiles) if subset == "train" else 0
    return ChosenImages(tiles, subset, reason, trained if own else None, own)


def _choose_of_training(folder: ImageFolder, choice: str) -> ChosenImages:
    """A subset of the division that the training made for itself."""
    measured_subset.check_known(choice, folder.state)
    divided = divide_as_trained(folder)
    tiles = divided.by_name()[choice] if divided else []
    measured_subset.check_divided(choice, same=divided is not None, count=len(tiles), noun="images")
    return ChosenImages(tiles, choice, trained=len(tiles) if choice == "train" else 0, own=True)


def _choose_held_out(folder: ImageFolder) -> ChosenImages:
    """What the training held out, where these are its images; else all."""
    reason = measured_subset.why_undivided(folder.state)
    if reason:
        return _choose_all(folder, reason)
    divided = divide_as_trained(folder)
    if divided:
        return ChosenImages(*measured_subset.choose_of_division(divided), trained=0, own=True)
    return _choose_all(folder, measured_subset.OTHER_DATA.format(noun="images"))


def divide_as_trained(folder: ImageFolder) -> Divided | None:
    """The division that the model was trained by, if it is one of these images."""
    with suppress(RsforgeError):
        divided = _stored_division(folder) if folder.is_split else _divide_again(folder)
        if split_digest(divided.train, divided.val) == trained_digest(folder.state):
            return divided
    return None


def _stored_division(folder: ImageFolder) -> Divided:
    return Sides(**(folder.follow(SilentConsole()) or {subset: [] for subset in SUBSETS}))


def _divide_again(folder: ImageFolder) -> Divided:
    data, run = settings_of(folder.state, "data"), settings_of(folder.state, "run")
    return divide_by_content(
        TileIndex(folder.index.root, folder.tiles),
        (float(data.get("val_fraction", 0.0)), data.get("test_fraction", 0.0)),
        int(run.get("seed", 0)),
        SilentConsole(),
        overlap_by_content=bool(data.get("overlap_by_content")),
    )


def _open_drawn(choice: str, image_size: int, console: Console, state: Mapping[str, Any]) -> MeasuredSubset:
    """Synthetic scenes: those that the training held out, or others where it was on other images."""
    data = settings_of(state, "data")
    again = choice != "all" and data.get("data_dir") == SYNTHETIC
    seed = int(settings_of(state, "run").get("seed", 0)) if again else 0
    sides = count_sides(SYNTHETIC_COUNT, float(data.get("val_fraction", 0.0)), data.get("test_fraction", 0.0))
    edge, end = sides[0], SYNTHETIC_COUNT - sides[1]
    whole = _draw(image_size, seed, console)
    ours = trained_digest(state) == name_drawn(whole.digest, SYNTHETIC_COUNT, sides[1], sides[2])
    subset, reason = measured_subset.choose_synthetic(choice, ours=ours, sides=sides, noun="scenes")
    measured_subset.say_choice(subset, reason, console)
    chosen = {
        "all": range(SYNTHETIC_COUNT),
        "train": range(edge),
        "val": range(end, SYNTHETIC_COUNT),
        "test": range(edge, end),
    }[subset]
    trained = sum(index < edge for index in chosen) if ours else 0
    measured_subset.warn_trained(trained, len(chosen), subset, "scenes", console)
    samples = SelectedItems(whole, chosen)
    scenes = [whole.name(index) for index in chosen]
    return MeasuredSubset(samples, scenes, subset, reason, trained, ours and subset != "all")
