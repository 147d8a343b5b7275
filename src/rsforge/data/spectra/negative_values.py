"""Negative radiance or reflectance: a little is noise, much of it is a wrong scale or an undeclared nodata value."""

from __future__ import annotations

import numpy as np

from rsforge.data.cubes.cube import F32, F64
from rsforge.data.scenes.landsat_units import kind_of
from rsforge.errors import RsforgeError

MAX_NEGATIVE = 0.01
REMEDY = "cut the patches by `rsforge data hsi-patches --valid-range 0 HIGH`, or correct the scale of the cube"


class NegativeValues:
    """Counts the negative values by patch and by band; a ``PixelMeasure``.

    They are those of the spectra, or ``of_landsat`` those of Landsat's bands, whose wavelengths are not given. ``unit``
    is what the files state, "" for nothing.
    """

    def __init__(self, wavelength_nm: F64 | None = None, unit: str = "", *, of_landsat: bool = False) -> None:
        self.wavelength_nm, self.unit, self.of_landsat = wavelength_nm, unit, of_landsat
        self.by_patch: dict[str, int] = {}
        self.by_band = np.zeros(0, np.int64)
        self.pixels = 0
        self.lowest = 0.0

    def add(self, name: str, landsat: F32, spectra: F32) -> None:
        values = landsat if self.of_landsat else spectra
        counts = np.count_nonzero(values < 0, axis=0)
        self.by_band = counts if not self.by_band.size else self.by_band + counts
        self.pixels += len(values)
        if counts.any():
            self.by_patch[name] = int(counts.sum())
            self.lowest = min(self.lowest, float(values.min()))

    @property
    def share(self) -> float:
        """The share of all values that is negative."""
        return float(self.by_band.sum()) / max(self.pixels * self.by_band.size, 1)

    def describe(self) -> str:
        """A sentence on how many values are negative and where most of them are; "" when none is."""
        if not self.by_patch:
            return ""
        band = int(self.by_band.argmax())
        where = f"band {band + 1}"
        if self.wavelength_nm is not None:
            where += f" ({self.wavelength_nm[band]:g} nm)"
        worst = max(self.by_patch, key=lambda name: self.by_patch[name])
        values = "values of Landsat" if self.of_landsat else "values"
        return (
            f"{self.share:.2%} of the {values} are negative, down to {self.lowest:g}; most of them in {where}, "
            f"{self.by_band[band] / self.pixels:.2%}, and in the patch {worst}"
        )

    def require_few(self, most: float = MAX_NEGATIVE) -> None:
        """RSF-D010 when more than the share ``most`` of all values is negative."""
        if self.share <= most:
            return
        worst = max(self.by_patch, key=lambda name: self.by_patch[name])
        raise RsforgeError("RSF-D010", describe_refusal(self.unit), where=worst, found=self.describe(), fix=REMEDY)


def describe_refusal(unit: str) -> str:
    """Why many negative values are no spectra in ``unit``, as far as that is known."""
    kind = kind_of(unit)
    if kind:
        return f"{kind} cannot be negative"
    known = f"the unit {unit!r} is not known" if unit else "the files state no unit"
    return f"too many values are negative for radiance or reflectance ({known})"
