"""Small images of one file a band or polarisation, as products have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine

from tests.worlds.rasters import NORTH_UP, write

BANDS = ("B02", "B03", "B04", "B05")
PRODUCT = "LC08_L2SP_190024_20200518_20200820_02_T1"
_COARSE = ("B05", "B8A")


def radar(root: Path, form: str = "{stem}_{band}.tif", *, stem: str = "p", bands: Sequence[str] = ("VV", "VH")) -> None:
    """One polarisation a file of 16 x 16 pixels, in dB: VV about -10, VH about -17, none alike."""
    for k, band in enumerate(bands):
        path = root / form.format(stem=stem, band=band)
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng([k, *stem.encode()]).normal(0, 1, (16, 16, 1))
        write(path, (noise - (10 if band.upper() == "VV" else 17)).astype(np.float32))


def optical(
    root: Path, form: str = "{stem}_{band}.tif", *, stem: str = "p", bands: Sequence[str] = BANDS, **profile
) -> None:
    """One band of Sentinel-2 a file: 1000 in its number and noise; B05 and B8A have pixels of twice the size."""
    for band in bands:
        path = root / form.format(stem=stem, band=band)
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = band in _COARSE
        size = 8 if coarse else 16
        noise = np.random.default_rng([9, *band.encode(), *stem.encode()]).integers(0, 99, (size, size, 1))
        values = (noise + 100 * int(band.strip("BA"))).astype(np.uint16)
        write(path, values, **{"transform": NORTH_UP @ Affine.scale(2) if coarse else NORTH_UP} | profile)


def pairs(root: Path, *, count: int = 3) -> Path:
    """Pairs in folders s1 and s2."""
    for n in range(count):
        radar(root / "s1", stem=f"p{n}")
        optical(root / "s2", stem=f"p{n}")
    return root


def bigearthnet(root: Path, *, count: int = 2) -> Path:
    """Patches in folders of their own, whose metadata say which belong together."""
    for n in range(count):
        sar, partner = f"S1A_IW_GRDH_1SDV_2017_33UUP_{n}_4", f"S2A_MSIL2A_20170613T101031_{n}_4"
        radar(root / "BigEarthNet-S1" / sar, stem=sar)
        optical(root / "BigEarthNet-S2" / partner, stem=partner)
        for folder, facts in ((f"S1/{sar}", {"corresponding_s2_patch": partner}), (f"S2/{partner}", {})):
            path = root / f"BigEarthNet-{folder}"
            (path / f"{path.name}_labels_metadata.json").write_text(json.dumps({"labels": [], **facts}))
    return root


def write_product(
    root: Path, bands: Sequence[str] = ("SR_B2", "SR_B3", "SR_B4"), product: str = PRODUCT, **profile
) -> Path:
    """The path of a set of Landsat: 8000 and 1000 times its number in each band, and 0 in the first row."""
    root.mkdir(exist_ok=True)
    for band in bands:
        values = np.full((4, 4, 1), 8000 + 1000 * int(band[-1]), np.uint16)
        values[0] = 0
        write(root / f"{product}_{band}.TIF", values, **profile)
    return root / f"{product}_SR_{{{','.join(band[3:] for band in bands)}}}.TIF"
