"""Captioned images, divided and with the numbers of their captions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rsforge.data.captions.metadata import CaptionRow, describe_table, find_metadata, name_below, read_metadata
from rsforge.data.captions.webdataset import refuse_tars
from rsforge.data.files.walk import find_images
from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex, scan
from rsforge.data.io.image_reader import READ
from rsforge.data.names.sides import side_of_path
from rsforge.data.splits.split_file import SUBSETS, Sides
from rsforge.data.tables.characters import compose
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes import views
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.image_folder import (
    KEEP_BYTES,
    ImageSets,
    divide_by_content,
    identify_sides,
    refuse_shared_folder,
)
from rsforge.recipes.datasets.named_samples import name_scenes, require_data
from rsforge.recipes.datasets.stored_split import (
    find_scenes,
    follow_split,
    refuse_mixture,
    report_missing_test,
    report_sides,
)
from rsforge.recipes.diffusion.sar_pipeline import TEXT
from rsforge.seeds import derive
from rsforge.settings.base import RunSettings
from rsforge.settings.finetune import CaptionedImageSettings
from rsforge.wording import count_noun, join_first

Captions = Mapping[str, Sequence[str]]
"""The captions of images, by the name of the image."""
FLIPPED = 0.5
TOKENS = "tokens"


@dataclass(frozen=True)
class CaptionedImages:
    """Images, all distinct ``texts``, and by side (train, val, test) of each image the numbers of its captions."""

    images: ImageSets
    texts: list[str]
    numbers: Sides[list[int]]
    identity: dict[str, Any]

    @property
    def trained_texts(self) -> list[str]:
        """The distinct captions of the training images, in the order of ``texts``."""
        used = {number for numbers in self.numbers.train for number in numbers}
        return [text for number, text in enumerate(self.texts) if number in used]


class CaptionedSamples:
    """``samples`` with a caption each under ``text``: one of ``rows``, and its token ids under ``tokens`` where given.

    Of several captions one is drawn anew in each epoch, by (seed, epoch, index) alone.
    """

    def __init__(
        self,
        samples: IndexedDataset,
        numbers: Sequence[Sequence[int]],
        rows: npt.NDArray[Any],
        *,
        seed: int,
        tokens: npt.NDArray[Any] | None = None,
    ) -> None:
        if len(samples) != len(numbers):
            raise ValueError(f"{len(samples)} images and the captions of {len(numbers)}")
        self.samples, self.numbers, self.seed = samples, numbers, seed
        self.columns = {TEXT: rows} if tokens is None else {TEXT: rows, TOKENS: tokens}

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples.name(index)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = key
        own = self.numbers[index]
        number = own[derive(self.seed, "caption", epoch, index) % len(own)]
        text = {name: torch.from_numpy(np.array(rows[number])) for name, rows in self.columns.items()}
        return {**self.samples[key], **text}


def load_captioned(
    data: CaptionedImageSettings, run: RunSettings, console: Console, *, keep: bool = True
) -> CaptionedImages:
    """Check, caption and divide the images of a folder; they are kept in memory where they fit and ``keep`` is on."""
    folder = Path(data.data_dir)
    refuse_shared_folder(folder, run.output_dir)
    refuse_tars(folder)
    if not folder.is_dir():
        find_images(folder)  # which says what is there instead
    tables = find_metadata(folder)
    view = views.settle_single(folder, find_images(folder, exclude=run.output_dir), data, console)
    index = scan(folder, on_bad=run.on_bad, exclude=run.output_dir, view=view)
    for name, reason in index.bad:
        console.warn(f"left out {name}: {reason}")
    views.warn_of_unread(index.unread, console)
    captions, stated = read_captions(index, tables, data.caption_column, run.on_bad, console)
    console.say(f"captions   {_describe(index, captions)}, from {', '.join(map(str, tables))}")
    sides = _divide(index, captions, stated, data, run, console)
    views.say_gaps([tile.gaps for side in sides for tile in side], "image", console)
    small = sum(min(tile.width, tile.height) < data.image_size for side in sides for tile in side)
    if small:
        console.warn(f"{count_noun(small, 'image')} smaller than --image-size {data.image_size}: enlarged")
    return _assemble(sides, captions, data, run, keep_bytes=KEEP_BYTES if keep and not console.dry_run else 0)


def _describe(index: TileIndex, captions: Captions) -> str:
    several = sum(len(texts) > 1 for texts in captions.values())
    parts = [f"{count_noun(len(captions), 'image')} with {count_noun(sum(map(len, captions.values())), 'caption')}"]
    parts += [f"{several} with several, one of which is drawn in each epoch"] if several else []
    without = len(index.tiles) - len(captions)
    return ", ".join([*parts, *([f"{without} without a caption left out"] if without else [])])


def read_captions(
    index: TileIndex, tables: Sequence[Path], column: str, on_bad: str, console: Console
) -> tuple[dict[str, list[str]], set[str]]:
    """The captions of each image in all ``tables``, as ``match_captions`` has them, and the sides that are stated."""
    captions: dict[str, list[str]] = {}
    sides = {side_of_path(tile.name) for tile in index.tiles}
    for table in tables:
        if sentence := describe_table(table):
            console.say(f"table      {sentence}")
        rows = read_metadata(table, column)
        sides |= {row.side for row in rows}
        captions |= match_captions(index, table, rows, on_bad, console)
    return dict(sorted(captions.items())), sides


def match_captions(
    index: TileIndex, table: Path, rows: Iterable[CaptionRow], on_bad: str, console: Console
) -> dict[str, list[str]]:
    """The captions of each image of ``index``, by its name; those of copies are those of the first.

    RSF-D007 for rows that cannot be used, which ``on_bad`` skip leaves out with a warning; RSF-D004 where none is left,
    RSF-D005 for a name that leaves the folder.
    """
    first = dict(index.duplicates)
    names, unreadable = {tile.name for tile in index.tiles}, {name for name, _ in index.bad}
    as_written = {compose(name): name for name in (*names, *unreadable, *first)}
    captions: dict[str, list[str]] = {}
    problems = []
    for row in rows:
        where, reason = f"{table.name}:{row.number}", row.reason
        name = "" if reason else name_below(index.root, table, row.name, where=where)
        name = as_written.get(compose(name), name)
        name = first.get(name, name)
        if name in unreadable:
            continue  # it was named before
        if not reason and name not in names:
            reason = f"{row.name} is no {READ} image below {index.root}"
        if reason:
            problems.append(f"{where}: {reason}")
        else:
            captions.setdefault(name, []).extend(row.texts)
    _judge(problems, captions, index, table, on_bad, console)
    return {name: list(dict.fromkeys(captions[name])) for name in sorted(captions)}


def _judge(
    problems: list[str], captions: Captions, index: TileIndex, table: Path, on_bad: str, console: Console
) -> None:
    if problems and (on_bad == "error" or not captions):
        what = f"{count_noun(len(problems), 'row')} of {table.name} cannot be used"
        fix = "" if captions else _find_elsewhere(index.root, problems)
        raise RsforgeError("RSF-D007", what, where=str(table), found=join_first(problems, 3), fix=fix)
    if not captions:
        raise RsforgeError("RSF-D004", f"{table.name} holds no captions", where=str(table))
    for problem in problems:
        console.warn(f"left out {problem}")


def _find_elsewhere(root: Path, problems: list[str]) -> str:
    """Where all rows name files that are not there: the way out, if a folder below has images."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and any(path.glob("*.[jpbt]*")))
    if len(folders) != 1 or not all("is no PNG" in problem for problem in problems):
        return ""
    return f"where the images lie in {folders[0]}, name it with --data-dir"


def _divide(
    index: TileIndex,
    captions: Captions,
    stated: set[str],
    data: CaptionedImageSettings,
    run: RunSettings,
    console: Console,
) -> Sides[Tile]:
    """The images that have captions: by the stored split if one is followed, else by content.

    ``stated`` are the subsets that the source of the captions states.
    """
    subsets = follow_split(data.split, index, console)
    if subsets is None:
        refuse_mixture(stated, data.split, index.root)
        own = TileIndex(index.root, [tile for tile in index.tiles if tile.name in captions])
        shares, wanted = (data.val_fraction, data.test_fraction), data.overlap_by_content
        sides = divide_by_content(own, shares, run.seed, console, overlap_by_content=wanted)
        report_sides(sides, console)
        return sides
    sides = Sides(*([tile for tile in subsets[name] if tile.name in captions] for name in SUBSETS))
    if not sides.train:
        raise RsforgeError("RSF-D004", "the split leaves no image with a caption to train on", where="--split")
    report_missing_test(sides.by_name(), console)
    return sides


def _assemble(
    sides: Sides[Tile],
    captions: Captions,
    data: CaptionedImageSettings,
    run: RunSettings,
    *,
    keep_bytes: int,
) -> CaptionedImages:
    common: dict[str, Any] = {"image_size": data.image_size, "seed": run.seed, "keep_bytes": keep_bytes}
    flip = FLIPPED if data.random_flip else 0.0
    train, held_out, test = sides
    augmented = TileDataset(train, **common, flip=flip, random_crop=not data.center_crop)
    images = ImageSets(
        train=augmented,
        plain=augmented.plain() if data.center_crop else TileDataset(train, **common, flip=0.0),
        held_out=TileDataset(held_out, **common, flip=0.0),
        identity=identify_sides(sides) | views.describe_view(train[0].view),
        test=TileDataset(test, **common, flip=0.0),
        scenes=lambda samples: name_scenes(find_scenes(Path(data.data_dir)), samples),
    )
    require_data(train=images.plain, val=images.held_out)
    texts = list(dict.fromkeys(text for tile in (*train, *held_out) for text in captions[tile.name]))
    trained = len(texts)
    texts = list(dict.fromkeys([*texts, *(text for tile in test for text in captions[tile.name])]))
    number = {text: k for k, text in enumerate(texts)}
    numbers = [[[number[text] for text in captions[tile.name]] for tile in side] for side in sides]
    # What only judges has no part in what a run is known by.
    digest = hashlib.sha256(repr((texts[:trained], numbers[:2])).encode()).hexdigest()
    return CaptionedImages(images, texts, Sides(*numbers), {**images.identity, "captions": digest})
