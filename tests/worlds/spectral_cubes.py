"""Cubes of 213 bands as ENVI files, and what cutting them writes and prints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WAVELENGTHS = np.linspace(376.44, 2500.12, 213)


DROPPED = [(1350, 1470), (1780, 1980), (2400, 3000)]


KEPT = ~np.any([(low <= WAVELENGTHS) & (high >= WAVELENGTHS) for low, high in DROPPED], axis=0)


CUT = "--patch-size 15 --sensor landsat8"


def write_envi(path: Path, values: np.ndarray, *, wavelengths: bool = True, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, samples, bands = values.shape
    path.write_bytes(values.astype("<f4").transpose(0, 2, 1).tobytes())
    listed = (
        f"wavelength units = nm\nwavelength = {{{', '.join(f'{w:.3f}' for w in WAVELENGTHS)}}}\n" if wavelengths else ""
    )
    path.with_name(path.name + ".hdr").write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ndata type = 4\ninterleave = bil\n"
        f"byte order = 0\ndata ignore value = -9999\n{listed}{more}"
    )
    return path


def draw_cube(number: int, height: int = 32, width: int = 46) -> np.ndarray:
    return np.random.default_rng(number).uniform(1, 5, (height, width, len(WAVELENGTHS)))


def printed_result(capsys) -> dict:
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def list_outputs(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
