"""The captioned images that are measured, and the other real ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rsforge.data.captions.metadata import find_metadata, read_metadata
from rsforge.data.captions.tables import SOURCE
from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex
from rsforge.data.io.image_reader import SUFFIXES
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import measured_subset
from rsforge.recipes.datasets.image_folder import refuse_shared_folder
from rsforge.recipes.datasets.images_of_checkpoint import (
    ImageFolder,
    choose_images,
    divide_as_trained,
    scan_images,
)
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.datasets.stored_split import find_scenes
from rsforge.recipes.text_to_image.captioned_images import Captions, match_captions, read_captions
from rsforge.seeds import derive
from rsforge.settings.text_evaluate import TextEvaluateSettings

_NUMBERED = re.compile(r"(.*?)[\s_-]*\d+")


@dataclass(frozen=True)
class Captioned:
    """Images with all captions of each, and the class of each, empty where unknown."""

    samples: TileDataset
    texts: list[list[str]]
    classes: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def captions(self) -> list[str]:
        """The first caption of each image, which is drawn and scored."""
        return [texts[0] for texts in self.texts]

    @property
    def digest(self) -> str:
        """SHA-256 of the images and captions."""
        rows = [(tile.digest, texts) for tile, texts in zip(self.samples.tiles, self.texts, strict=True)]
        return hashlib.sha256(repr(rows).encode()).hexdigest()


@dataclass(frozen=True)
class CaptionedSubset:
    """What is measured, and the real images that are not: those of the training where it is known."""

    measured: Captioned
    others: Captioned
    chosen: MeasuredSubset
    left_out: int


def open_captioned(
    settings: TextEvaluateSettings, state: Mapping[str, Any], image_size: int, console: Console
) -> CaptionedSubset:
    """The images of the subset that ``--side`` names, as the checkpoint ``state`` knows them, and the others.

    Errors as those of a training on captioned images, and of ``images_of_checkpoint.open_subset``.
    """
    data, own = settings.data, settings.evaluation
    place = Path(data.data_dir)
    if own.output_dir is not None:
        refuse_shared_folder(place, own.output_dir)
    index = scan_images(place, settings.on_bad, _find_excluded(settings, place), console, state, data)
    tables = find_metadata(place)
    captions, _ = read_captions(index, tables, data.caption_column, settings.on_bad, console)
    folder = ImageFolder(index, data.split, state, console, captions.keys())
    images = choose_images(folder, own.side)
    measured_subset.say_choice(images.subset, images.reason, console)
    if not images.tiles:
        raise RsforgeError("RSF-D004", "no image with a caption is left to measure", where="--side, --data-dir")
    tiles = limit_tiles(images.tiles, data.max_images, own.seed)
    classes = _read_classes(settings, index, tables, captions)
    measured_subset.warn_trained(images.trained, len(images.tiles), images.subset, "images", console)
    others = _find_others(folder, tiles)
    opened, rest = (_open(part, captions, classes, image_size) for part in (tiles, others))
    scenes = find_scenes(index.root)
    # Of all those that were trained on a share is measured, which is known where it is all or nothing.
    trained = images.trained if not images.trained or len(tiles) == len(images.tiles) else _count(tiles, folder)
    chosen = MeasuredSubset(
        opened.samples, [scenes.get(tile.name, "") for tile in tiles], images.subset, images.reason, trained, images.own
    )
    return CaptionedSubset(opened, rest, chosen, len(images.tiles) - len(tiles))


def _find_excluded(settings: TextEvaluateSettings, place: Path) -> Path:
    """The folder whose pictures are no data: that of the evaluation where it lies below them, else the model's."""
    output = settings.evaluation.output_dir
    if output is not None and place.resolve() in output.resolve().parents:
        return output
    return settings.pipeline if settings.pipeline.is_dir() else settings.pipeline.parent


def _count(tiles: Sequence[Tile], folder: ImageFolder) -> int | None:
    divided = divide_as_trained(folder)
    return None if divided is None else len({t.name for t in tiles} & {t.name for t in divided[0]})


def _find_others(folder: ImageFolder, measured: Sequence[Tile]) -> list[Tile]:
    """Captioned images that are not measured: those of the training where they are known, else the train subset.

    Where these are fewer than the measured ones, all that are not measured stand in their place.
    """
    names = {tile.name for tile in measured}
    divided = divide_as_trained(folder)
    known = divided[0] if divided else []
    if not known and folder.is_split:
        known = (folder.follow(SilentConsole()) or {}).get("train", [])
    trained = _leave_out(known, names)
    return trained if len(trained) >= len(measured) else _leave_out(folder.tiles, names)


def _leave_out(tiles: Sequence[Tile], names: Collection[str]) -> list[Tile]:
    return [tile for tile in tiles if tile.name not in names]


def limit_tiles(tiles: Sequence[Tile], most: int | None, seed: int) -> list[Tile]:
    """At most so many, chosen by ``seed`` and contents alone, in their order."""
    if most is None or len(tiles) <= most:
        return list(tiles)
    kept = sorted(tiles, key=lambda tile: derive(seed, "measured images", tile.digest))[:most]
    names = {tile.name for tile in kept}
    return [tile for tile in tiles if tile.name in names]


def name_class(name: str) -> str:
    """``airport`` of ``airport_12.jpg`` and of ``airport/12.jpg``; empty where neither name nor folder tells."""
    path = PurePosixPath(name)
    found = _NUMBERED.fullmatch(path.stem)
    own = found[1] if found else ""
    return (own or path.parent.name).lower()


def _read_classes(
    settings: TextEvaluateSettings, index: TileIndex, tables: Sequence[Path], captions: Captions
) -> dict[str, str]:
    column = settings.data.class_column
    try:
        rows = [(table, read_metadata(table, column or SOURCE)) for table in tables]
    except RsforgeError as error:
        if column is None:
            return {name: name_class(name) for name in captions}
        error.fix = error.fix.replace("--caption-column", "--class-column")
        raise
    found: dict[str, list[str]] = {}
    for table, own in rows:
        named = [row for row in own if not row.reason]
        found |= match_captions(index, table, named, settings.on_bad, SilentConsole())
    return {name: _read_class(texts[0]) for name, texts in found.items()}


def _read_class(text: str) -> str:
    """The class that a text tells: itself, or that of the file which it names."""
    return name_class(text) if PurePosixPath(text).suffix.lower() in SUFFIXES else text


def _open(tiles: Sequence[Tile], captions: Captions, classes: Mapping[str, str], image_size: int) -> Captioned:
    samples = TileDataset(tiles, image_size=image_size, seed=0, flip=0.0, keep_bytes=0)
    names = [tile.name for tile in tiles]
    return Captioned(samples, [list(captions[name]) for name in names], [classes.get(name, "") for name in names])
