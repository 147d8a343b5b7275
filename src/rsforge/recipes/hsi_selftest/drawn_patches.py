"""Two small patches to test a training with: drawn, or cut out of those of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import zoom

from rsforge.data.cubes.cube import F32
from rsforge.data.cubes.patches import NAME, CubePatch, Simulation, write_patches
from rsforge.data.cubes.spectral_response import integrate_response, load_response
from rsforge.data.io.windows import Window
from rsforge.data.spectra.augment import centre_crop
from rsforge.data.spectra.patch_files import PatchFile, PatchRef, find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.synthetic.spectra import endmembers
from rsforge.data.synthetic.write_cube import WAVELENGTH_NM
from rsforge.errors import RsforgeError

COUNT, SIZE = 2, 30
FACTOR = Fraction(15, 2)
SENSOR = "landsat8"
REMOVED_NM = ((1350, 1470), (1780, 1980), (2400, 3000))
"""What water vapour absorbs, and where the sun gives little."""

GRAIN = 15
"""Pixels from one independent mixture of materials to the next."""


def choose_wavelengths(bands: int) -> F32:
    """Centres ``(bands,)`` in nm, evenly among those of AVIRIS-NG outside of ``REMOVED_NM``: for 340 nearly all."""
    kept = np.ones(WAVELENGTH_NM.shape, bool)
    for low, high in REMOVED_NM:
        kept &= (low > WAVELENGTH_NM) | (high < WAVELENGTH_NM)
    centres = WAVELENGTH_NM[kept]
    chosen: F32 = centres[np.linspace(0, len(centres) - 1, bands).round().astype(int)]
    return chosen


def draw_spectra(wavelength_nm: F32, size: int, rng: np.random.Generator) -> F32:
    """Reflectance ``(size, size, bands)``: mixtures of materials that change smoothly, under uneven light."""
    pure = endmembers(wavelength_nm)
    nodes = -(-size // GRAIN) + 1
    shares = zoom(rng.dirichlet(np.full(len(pure), 0.5), (nodes, nodes)), (GRAIN, GRAIN, 1), order=1)[:size, :size]
    light = zoom(rng.uniform(0.5, 1.2, (nodes, nodes)), GRAIN, order=1)[:size, :size, None]
    mixed: F32 = (shares * light).astype(np.float32) @ pure
    mixed += 0.002 * rng.standard_normal(mixed.shape, np.float32)
    return mixed.clip(0, 1, out=mixed)


def draw_patches(folder: Path, bands: int, *, seed: int) -> None:
    """A file of ``COUNT`` patches of ``SIZE`` pixels, with the seven bands that Landsat 8 makes of their ``bands``."""
    wavelength_nm, response = choose_wavelengths(bands), load_response(SENSOR)
    simulation = Simulation.for_patches(integrate_response(response, wavelength_nm.astype(float)).weights, SIZE, FACTOR)
    rng, valid = np.random.default_rng(seed), np.ones((SIZE, SIZE), bool)
    patches = [
        simulation.simulate(Window(0, k * SIZE, SIZE, SIZE), draw_spectra(wavelength_nm, SIZE, rng), valid)
        for k in range(COUNT)
    ]
    facts = {"wavelengths": wavelength_nm, "factor": str(FACTOR), "units": "reflectance"}
    facts |= {"sensor": SENSOR, "landsat_bands": list(response.bands)}
    write_patches(folder / "drawn" / NAME, "drawn", patches, facts)


def draw_wide_patch(folder: Path, bands: int, size: int, *, seed: int) -> None:
    """A file of one patch of ``size`` pixels without wavelengths; what stands for Landsat, no training of it reads."""
    spectra = draw_spectra(choose_wavelengths(bands), size, np.random.default_rng(seed))
    valid, window = np.ones((size, size), bool), Window(0, 0, size, size)
    patch = CubePatch(window, spectra, spectra[..., :1], None, valid, None, quality=1.0)
    write_patches(folder / "drawn" / NAME, "drawn", [patch], {"factor": str(FACTOR), "units": "reflectance"})


def cut_patches(root: Path, folder: Path) -> None:
    """A file of the centres of ``COUNT`` patches below ``root``, of ``SIZE`` pixels or the whole of smaller ones.

    Errors are those of ``find_patch_files``, which looks at every file, and of ``PatchReader.read``; RSF-D004 where
    no pixel of them is valid.
    """
    refs, reader = _choose_patches(find_patch_files(root)), PatchReader()
    side = min(SIZE, *(min(ref.file.height, ref.file.width) for ref in refs))
    patches = [_cut_centre(ref, reader, side) for ref in refs]
    reader.close()
    if not any(patch.valid.any() for patch in patches):
        where = ", ".join(ref.name for ref in refs)
        raise RsforgeError("RSF-D004", f"the centres of {len(refs)} patches have no valid pixel", where=where)
    write_patches(folder / "cut" / NAME, "cut", patches, _describe_file(refs[0].file))


def _choose_patches(files: Sequence[PatchFile]) -> list[PatchRef]:
    """The first patch of each file, then the others."""
    return sorted(list_patches(files), key=lambda ref: ref.row)[:COUNT]


def _cut_centre(ref: PatchRef, reader: PatchReader, side: int) -> CubePatch:
    window = centre_crop(ref.file.height, ref.file.width, side)
    pixels = reader.read(ref, window)
    quality = float(pixels.valid.mean())
    return CubePatch(window, pixels.spectra, pixels.landsat, None, pixels.valid, None, quality)


def _describe_file(file: PatchFile) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"factor": str(file.factor), "units": file.unit, "sensor": file.sensor}
    if file.landsat_names:
        facts["landsat_bands"] = list(file.landsat_names)
    if file.wavelength_nm is not None:
        facts["wavelengths"] = file.wavelength_nm
    return facts
