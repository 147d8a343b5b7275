"""Which command reads the files of a folder without images."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

_CUBES = frozenset({".hdr", ".he5", ".nc", ".nc4", ".mat"})
"""Suffixes of cubes; those of plain HDF5 may be patches too."""


def advise_cutting(cube: Path) -> str:
    """The remedy where a file is no file of patches: it may be a cube."""
    command = f"rsforge data hsi-patches --input {shlex.quote(str(cube))} --output-dir OUT"
    return f"patches hold the arrays landsat and aviris: cut a cube into them by `{command}`"


def suggest_command(folder: Path, files: Sequence[Path]) -> str:
    """What makes images or patches of the ``files`` below ``folder``, by their suffixes; empty where nothing does."""
    suffixes = {path.suffix.lower() for path in files}
    place = shlex.quote(str(folder))
    if ".parquet" in suffixes:
        command = f"rsforge data parquet-to-jsonl --parquet-path {place} --output-dir OUT"
        return f"extract the images of the Parquet files: `{command}`, and use OUT/rsicd_images"
    if suffixes & _CUBES:
        command = f"rsforge data hsi-patches --input {place} --output-dir OUT"
        return f"cut the cubes into patches: `{command}`, and use OUT"
    return ""
