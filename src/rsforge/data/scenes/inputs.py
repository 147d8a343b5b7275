"""The images that a command is to map: single ones, folders at any depth, and lists in text files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rsforge.data.files.stack_paths import is_file, name_whole
from rsforge.data.io.image_reader import find_images
from rsforge.data.pairs.layouts import PairLayout, find_layout
from rsforge.data.pairs.names import list_entries
from rsforge.errors import RsforgeError

LIST = ".txt"
Modality = Literal["sar", "optical"]


@dataclass(frozen=True)
class InputImage:
    """An image and its name: the path below the folder or list that it was found by."""

    path: Path
    name: str


@dataclass
class InputImages:
    """What was found: ``missing`` of (list and line, reason), ``notes`` to say."""

    images: list[InputImage] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_inputs(places: Sequence[Path], *, modality: Modality, exclude: Path | None = None) -> InputImages:
    """The images of every place in order, each once; folders are sorted, and ``exclude`` is not entered.

    Of a folder that is laid out as pairs only the images of ``modality`` are taken. RSF-D001 when a place is not there
    or holds none, RSF-D006 when a list cannot be read.
    """
    found = InputImages()
    for place in places:
        if place.is_dir():
            found.images += _in_folder(place, modality, exclude, found.notes)
        elif not place.exists() and not is_file(place):
            raise RsforgeError("RSF-D001", f"No images found: there is no file or folder {place}", where=str(place))
        elif is_list(place):
            found.images += _read_list(place, found.missing)
        else:
            found.images.append(InputImage(place, name_whole(place.name)))
    found.images = list({(image.path.resolve(), image.name): image for image in found.images}.values())
    return found


def is_list(place: Path) -> bool:
    """Whether a path names a list of images."""
    return place.suffix.lower() == LIST and not place.is_dir()


def _in_folder(root: Path, modality: Modality, exclude: Path | None, notes: list[str]) -> list[InputImage]:
    laid = _find_pair_layout(root)
    if laid is None:
        return [_named_below(root, path) for path in find_images(root, exclude=exclude)]
    images = [
        _named_below(root, path)
        for group in laid.groups
        for path in list_entries(getattr(group, modality), folders=False)
    ]
    notes.append(
        f"{root} is laid out as {laid.name}: its {len(images)} {'SAR' if modality == 'sar' else modality} images"
    )
    notes += [f"left aside {name}: {reason}" for name, reason in laid.problems]
    if not images:
        raise RsforgeError("RSF-D001", f"No images found in {root} on the side {modality}", where=str(root))
    return images


def _find_pair_layout(root: Path) -> PairLayout | None:
    try:
        return find_layout(root, "auto")
    except RsforgeError:  # no pairs: the folder is taken as it is
        return None


def _named_below(root: Path, path: Path) -> InputImage:
    return InputImage(path, name_whole(path.relative_to(root).as_posix()))


def _read_list(file: Path, missing: list[tuple[str, str]]) -> Iterator[InputImage]:
    count = 0
    for number, line in _read_lines(file):
        count += 1
        path = file.parent / line
        if is_file(path):
            yield InputImage(path, _list_name(file.parent, path))
        else:
            reason = "it is no file" if path.exists() else "there is no such file"
            missing.append((f"{file}:{number}", f"{line}: {reason}"))
    if not count:
        raise RsforgeError("RSF-D001", f"No images found: the list {file} names none", where=str(file))


def _read_lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise RsforgeError("RSF-D006", "the list of images is no UTF-8 text", where=str(file)) from None
    for number, line in enumerate(text.split("\n"), 1):
        if (path := line.strip()) and not path.startswith("#"):
            yield number, path


def _list_name(folder: Path, path: Path) -> str:
    """The path below the list's folder, or for an image elsewhere its name."""
    relative = name_whole(os.path.relpath(path, folder))
    return name_whole(path.name) if relative.startswith("..") else Path(relative).as_posix()
