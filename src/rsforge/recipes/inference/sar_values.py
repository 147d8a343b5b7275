"""In which unit the values of SAR images are understood at inference."""

from __future__ import annotations

from typing import Literal

from rsforge.data.sar.radiometry import Radiometry, Unit, declare_radiometry
from rsforge.errors import RsforgeError

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
