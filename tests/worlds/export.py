"""Command lines of exports, and what one wrote, said and stands for."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from rsforge import durable
from rsforge.data.sar.radiometry import Radiometry
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.export import torch_program

SIDE = 16
DECIBELS = Radiometry("db", -25.0, 5.0)
NAMES = {"sar2optical": ("gen_AB", "sar", "optical"), "optical2sar": ("gen_BA", "optical", "sar")}
ALL = "cyclegan export --checkpoint {} --output-dir {} --json --direction "
FEW = "cyclegan export --checkpoint {} --output-dir {} --formats "


class Exported(NamedTuple):
    """An export of all formats; ``free`` when of any sides."""

    folder: Path
    name: str
    given: str
    made: str
    free: bool
    net: Pix2PixUNet
    card: dict
    result: dict
    stderr: str

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.name}{suffix}"


def words(values: dict, key: str, **known):
    """What a described formula says, computed as it is written."""
    functions = {"clip": np.clip, "log10": np.log10, "round": np.round}
    return eval(values[key].split("= ", 1)[-1].split(", as")[0], {}, {**functions, **values, **known})


@contextlib.contextmanager
def capturing(*, free: bool):
    """With a torch that can leave the sides free, or that cannot."""
    either = torch_program._capture
    with pytest.MonkeyPatch.context() as patch:
        if not free:
            patch.setattr(torch_program, "_capture", lambda own, *, free: None if free else either(own, free=False))
        yield


def left(folder: Path) -> set[str]:
    """What lies there, less the lock."""
    return {path.name for path in folder.iterdir()} - {durable.LOCK}
