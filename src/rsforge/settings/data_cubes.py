"""What the user may say to ``rsforge data hsi-patches``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rsforge.settings.base import BASE_DIR, ImageSize, Pixels, Seed, SensorName, Share, ShareBelowOne
from rsforge.settings.sections import Section, also


def _factor(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?(/0*[1-9]\d*)?", text):
        raise ValueError("must be a decimal such as 7.5 or a fraction such as 15/2")
    return text


def _span(text: str) -> str:
    if not re.fullmatch(r"none|\d+(\.\d+)?-\d+(\.\d+)?", text):
        raise ValueError("must be none or ranges in nm such as 1350-1470")
    return text


class HsiPatchesSettings(Section):
    """Settings of ``rsforge data hsi-patches``."""

    input: Path = Field(description="Cube (ENVI, GeoTIFF, MATLAB, HDF5), or a folder of cubes.")
    output_dir: Path = Field(description="Folder for SCENE/test_patches.h5.")
    base_dir: Path = Field(Path(), description=BASE_DIR)
    sensor: SensorName = Field(
        "landsat8",
        description="Response functions: landsat7, landsat8, landsat9, or a CSV or TSV file of wavelengths and bands.",
        json_schema_extra=also(metavar="NAME|FILE", basic=True),
    )
    bands: tuple[str, ...] = Field((), description="Bands of the sensor to make, by name; all when absent.")
    patch_size: ImageSize = Field(
        256, description="Side of a patch in pixels of the cube.", json_schema_extra=also(basic=True)
    )
    stride: Pixels | None = Field(
        None, description="Pixels between two patches; the patch size when absent.", json_schema_extra=also(basic=True)
    )
    factor: Annotated[str, AfterValidator(_factor)] = Field(
        "7.5", description="Pixels of the cube in the width of a Landsat pixel: a decimal or a fraction such as 15/2."
    )
    min_valid: Share = Field(0.95, description="Least share of valid pixels in a patch.")
    wavelengths: Path | None = Field(None, description="Text file of wavelengths (and FWHM) for a cube without them.")
    variable: str | None = Field(None, description="Name of the cube in a MATLAB or HDF5 file; detected when absent.")
    size: tuple[Pixels, Pixels] | None = Field(
        None,
        description="Rows and columns of a cube stored as a matrix.",
        json_schema_extra=also(metavar="ROWS COLS", basic=True),
    )
    bands_axis: Literal["first", "middle", "last"] | None = Field(
        None, description="Axis of the bands in a MATLAB or HDF5 file; detected when absent, by wavelengths and names."
    )
    fill: float | None = Field(
        None,
        description="Value, stored or scaled, that makes a pixel invalid where all bands have it, as 0 does.",
    )
    drop_nm: tuple[Annotated[str, AfterValidator(_span)], ...] = Field(
        ("1350-1470", "1780-1980", "2400-3000"), description="Wavelength ranges to leave out; none keeps all."
    )
    valid_range: tuple[float, float] | None = Field(
        None, description="Lowest and highest valid value; a pixel with others is invalid.",
        json_schema_extra=also(metavar="LOW HIGH"),
    )  # fmt: skip
    split_by: Literal["none", "scene", "block"] = Field("none", description="Also write split.json, by scene or block.")
    val: ShareBelowOne = Field(
        0.2, description="Share for validation.", json_schema_extra=also("--val-fraction", basic=True)
    )
    seed: Seed = Field(42, description="Seed of the split.")
    overwrite: bool = Field(False, description="Replace earlier patches.")
