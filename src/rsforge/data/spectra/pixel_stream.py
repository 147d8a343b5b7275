"""The valid pixels of patches, one patch after the other, handed to whatever is measured on them in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from rsforge.data.cubes.cube import F32
from rsforge.data.spectra.patch_files import PatchRef
from rsforge.data.spectra.patch_reader import PatchReader


class PixelMeasure(Protocol):
    """Something that is measured on pixels, patch by patch."""

    def add(self, name: str, landsat: F32, spectra: F32) -> None:
        """Take the valid pixels ``(n, K)`` and ``(n, B)`` of the patch ``name``; n may be 0."""


def stream_pixels(
    patches: Iterable[PatchRef],
    measures: Sequence[PixelMeasure],
    *,
    reader: PatchReader,
    step: Callable[[], None] = lambda: None,
) -> None:
    """Hand the valid pixels of every patch to each of ``measures``; ``step`` is called after each patch.

    One patch is in memory at a time, whatever their number: about 0.4 GB with all measures of ``fit_training_side`` for
    patches of 256 x 256 pixels and 340 bands. Errors are those of ``PatchReader.read``.
    """
    for patch in patches:
        pixels = reader.read(patch)
        landsat, spectra = pixels.landsat[pixels.valid], pixels.spectra[pixels.valid]
        for measure in measures:
            measure.add(patch.name, landsat, spectra)
        step()
