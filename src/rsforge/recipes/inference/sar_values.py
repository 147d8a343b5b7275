"""In which unit the values of images are understood at inference, and what networks take of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rsforge.data.io.band_choice import describe_bands
from rsforge.data.io.georeference import Mask, RasterInfo
from rsforge.data.pairs.reading import rgb_to_grey
from rsforge.data.sar.radiometry import Radiometry, Unit, check_values, declare_radiometry
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

UNIT_SYMBOLS = {"db": "dB", "linear": "1"}


def choose_radiometry(stored: Radiometry, unit: Unit | Literal["auto"], clip: tuple[float, float] | None) -> Radiometry:
    """That of the training, unless a unit or a window is given; decibels and powers share their windows.

    RSF-U005 for digital numbers whose range nobody says.
    """
    unit = stored.unit if unit == "auto" else unit
    kept = unit == stored.unit or {unit, stored.unit} <= UNIT_SYMBOLS.keys()
    if clip is None and unit == "dn" and not kept:
        what = f"the checkpoint has no range of digital numbers: the training had {stored.unit}"
        fix = "give it with --clip LOW HIGH"
        raise RsforgeError("RSF-U005", what, where="--radiometry, --clip", found="--radiometry dn", fix=fix)
    return declare_radiometry(unit, clip or ((stored.low, stored.high) if kept else None), 0)


@dataclass(frozen=True)
class NetworkInput:
    """What a network takes: images of so many ``channels``, of the ``radiometry`` that its values are scaled by."""

    radiometry: Radiometry
    channels: int

    def scale(self, values: npt.NDArray[Any], valid: Mask) -> npt.NDArray[np.float32]:
        """Values ``(h, w, C)`` of a file in [-1, 1]; gaps are -1."""
        x = self.radiometry.to_unit(rgb_to_grey(values) if self.channels == 1 else values)
        x[~valid] = -1
        return x

    def check_values(self, values: npt.NDArray[Any], where: str, *, fix: str = "") -> None:
        """RSF-D010 for values that cannot be in the unit."""
        check_values(self.radiometry, values, where=where, fix=fix)

    def check_bands(self, info: RasterInfo, *, chosen: bool, taker: str) -> None:
        """RSF-D003 for an image of another number of bands; one channel is made of 8-bit colours too.

        ``chosen`` says whether ``--bands`` named them, and ``taker`` is what takes them.
        """
        grey = self.channels == 1 and (info.dtype, info.bands) == ("uint8", 3)
        if grey or info.bands == self.channels:
            return
        wanted, there = count_noun(self.channels, "band"), count_noun(info.bands, "band")
        fix = f"give images of {wanted}"
        if chosen or info.bands > self.channels:
            first = ",".join(str(k) for k in range(1, self.channels + 1))
            fix = f"name the {wanted} of the training with --bands, for example --bands {first}"
        what = f"--bands names {there} of {info.path}" if chosen else f"{info.path} has {there}"
        names = describe_bands(info.meanings)
        raise RsforgeError(
            "RSF-D003", what, where=str(info.path), found=f"{names}; {taker} takes {self.channels}", fix=fix
        )
