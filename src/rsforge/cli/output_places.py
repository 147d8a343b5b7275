"""The places into which a command writes: tried out by a plan, and removed where a command left them empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel

from rsforge.cli.leaves import leaves
from rsforge.errors import RsforgeError
from rsforge.settings.sections import flatten
from rsforge.unicode_text import is_unicode

OUTPUT_FOLDERS = ("output_dir", "latent_cache_dir", "log_dir")
OUTPUT_FILES = ("output", "output_file", "output_path")
"""Names of settings; a file of the second may be a folder where there are several inputs."""


def check_names(settings: BaseModel) -> None:
    """RSF-U001 for an output whose name is no Unicode: libraries that write there would fail after the work."""
    for name, place in _list_places(settings).items():
        if not is_unicode(str(place)):
            option = leaves(type(settings))[name].option
            what = f"{option} holds bytes that are not UTF-8"
            raise RsforgeError("RSF-U001", what, where=f"option {option}", found=str(place), fix="give it another name")


def check_outputs(settings: BaseModel) -> None:
    """RSF-E002 or E008 where an output of the command could not be made: a plan refuses what the command refuses."""
    from rsforge.recipes.output_checks import check_makeable

    options = leaves(type(settings))
    for name, place in _list_places(settings).items():
        if name in OUTPUT_FOLDERS:
            check_makeable(place, "the output", options[name].option)
        else:
            check_makeable(place.parent, place.name, options[name].option)


@contextmanager
def take_back_empty_folders(settings: BaseModel) -> Iterator[None]:
    """Remove the folders of the outputs that were made in the block, where it fails and they hold nothing.

    Commands make them before long work, to know that they can, and may refuse their input after that.
    """
    every = [folder for place in _list_places(settings).values() for folder in (place, *place.absolute().parents)]
    missing = [folder for folder in every if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in sorted(missing, key=lambda folder: len(folder.parts), reverse=True):
            _remove_empty(folder)
        raise


def _remove_empty(folder: Path) -> None:
    """A folder with all that is below it, as far as that are folders without a file."""
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(place).rmdir()


def _list_places(settings: BaseModel) -> dict[str, Path]:
    values = flatten(settings, type(settings))
    return {name: Path(values[name]) for name in (*OUTPUT_FOLDERS, *OUTPUT_FILES) if values.get(name)}
