"""From images to the files that will be made of them; what does not go together is refused before any work."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from rsforge.data.io.image_writer import PICTURE_SUFFIXES, check_picture_path
from rsforge.data.scenes.inputs import InputImage, is_list
from rsforge.errors import RsforgeError
from rsforge.recipes.output_checks import check_writable
from rsforge.wording import agree, count_noun

NAMED = 4
_FILE = re.compile(r"\.[a-z]{2,4}[0-9]?", re.IGNORECASE)  # results.v2 and run_0.5 are folders


def is_single(places: Sequence[Path], output: Path) -> bool:
    """Whether ``output`` is the file of the only image.

    RSF-U005 when it names a picture and several may come, RSF-U006 when it names another file for a single one.
    """
    one = len(places) == 1 and not places[0].is_dir() and not is_list(places[0])
    names_a_file = _is_picture(output) or (one and _FILE.fullmatch(output.suffix))
    if output.is_dir() or not names_a_file:
        return False
    if one:
        check_picture_path(output)
        return True
    what = "--output names one picture, --input more than one image"
    raise RsforgeError(
        "RSF-U005", what, where="--input, --output", found=str(output), fix="name a folder with --output"
    )


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def check_place(places: Sequence[Path], output: Path, *, single: bool) -> None:
    """RSF-U005 when the folder for the results is also one of the images; RSF-E002, E008 when it cannot be written."""
    if single:
        return check_writable(output.parent, output.name, "--output")
    for place in places:
        if place.is_dir() and output.is_dir() and place.samefile(output):
            what = "the folder of images is also the output folder"
            fix = "name another --output; a folder below the images will do"
            raise RsforgeError("RSF-U005", what, where="--input, --output", found=str(output), fix=fix)
    return check_writable(output, "the results", "--output")


def path_below(output: Path, source: InputImage, suffix: str) -> Path:
    """The file of ``source`` in the folder ``output``: its name with another suffix."""
    return output / PurePosixPath(source.name).with_suffix(suffix)


def check_targets(sources: Iterable[InputImage], images: Sequence[Path], targets: Sequence[Path]) -> None:
    """RSF-U005 when two ``images`` would have one file, or one would take the place of any of ``sources``."""
    owners: dict[Path, Path] = {}
    inputs = {source.path.resolve() for source in sources}
    for image, target in zip(images, targets, strict=True):
        if target.resolve() in inputs:
            what = f"{target} is one of the images"
            raise RsforgeError("RSF-U005", what, where="--input, --output", fix="name another --output")
        if target in owners:
            what, found = f"two images would become {target}", f"{owners[target]} and {image}"
            fix = "give one of them another name, or a command and an --output of its own"
            raise RsforgeError("RSF-U005", what, where="--input", found=found, fix=fix)
        owners[target] = image


ALL_OR_MISSING = "go on with --skip-existing, replace them with --overwrite"
ALL = "replace them with --overwrite"
"""What a command can do about files that are there."""


def check_free(targets: Sequence[Path], *, skip_existing: bool = False, ways: str = ALL_OR_MISSING) -> None:
    """RSF-U004 with the command's ``ways`` out when something is there; with ``skip_existing`` only what is no file."""
    there = [str(t) for t in targets if os.path.lexists(t) and not (skip_existing and t.is_file())]
    if there:
        what = f"{len(there)} of {count_noun(len(targets), 'file')} {agree(len(there), 'is', 'are')} there already"
        found = ", ".join(there[:NAMED]) + (", ..." if len(there) > NAMED else "")
        fix = f"{ways}, or name another --output"
        raise RsforgeError("RSF-U004", what, where="--output", found=found, fix=fix)
