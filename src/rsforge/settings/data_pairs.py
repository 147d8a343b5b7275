"""What the user may say to ``rsforge data`` about pairs of SAR and optical images, and about splits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from rsforge.settings.base import BASE_DIR, OVERLAP, Count, ImageSize, Pixels, Range, Seed, Share, ShareBelowOne
from rsforge.settings.sections import Section, also
from rsforge.settings.views import PairViewSettings

Unit = Literal["auto", "db", "linear", "dn", "uint8"]

UNIT = "Unit of the SAR values; auto takes what the data set says of itself, else infers it and says how."
CLIP = "Lowest and highest SAR value that images keep, in the unit; in dB for linear."
GRAY = "Accept grey optical images."


class PairFields(Section):
    """Data"""

    data_dir: Path = Field(
        description="Folder of the data set.", json_schema_extra=also("--dataset-path", "--image-dir")
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    layout: Literal[
        "auto", "regions", "terrain", "names", "nested", "mixed", "bigearthnet", "tiles", "captions", "patches"
    ] = Field("auto", description="Layout of the files; auto detects it.")
    terrains: tuple[str, ...] = Field(
        (), description="Terrain folders to take; all when absent.", json_schema_extra=also(basic=True)
    )
    max_per_terrain: Count | None = Field(None, description="Pairs of each terrain, in sorted order; all when absent.")


class CutFields(Section):
    """Options"""

    sar: Path = Field(description="SAR image or GeoTIFF, or folder of scenes (SCENE/s1.*, or files by name).")
    optical: Path = Field(description="Optical image or GeoTIFF, or folder of scenes (SCENE/s2.*, or files by name).")
    output_dir: Path = Field(description="Folder for the patches.")
    base_dir: Path = Field(Path(), description=BASE_DIR)
    layout: Literal["terrain", "regions"] = Field(
        "terrain", description="Folders of patches: TERRAIN/s1 and s2, or r_XXX/s1_XXX and s2_XXX with CSV tables."
    )
    size: ImageSize = Field(256, description="Side of a patch in pixels.", json_schema_extra=also(basic=True))
    stride: Pixels | None = Field(
        None,
        description="Pixels between two patches; the size when absent: no overlap.",
        json_schema_extra=also(basic=True),
    )
    warp: bool = Field(
        False,
        description="Resample an image that has ground control points alone onto the grid of the other, bilinearly; "
        "heights of the ground are not known, so that relief stays displaced.",
    )
    min_valid: Share = Field(1.0, description="Smallest share of a patch that must hold data in both images.")
    terrain: str | None = Field(None, description="Terrain folder of layout terrain; one a scene when absent.")
    region: Literal["tropical", "temperate", "arctic"] | None = Field(
        None, description="Region for the tables; from the latitude when absent and georeferenced."
    )
    season: Literal["winter", "spring", "summer", "fall", "autumn"] | None = Field(
        None, description="Season for the tables."
    )
    country: str = Field("", description="Country for the tables.")
    radiometry: Unit = Field("auto", description=UNIT, json_schema_extra=also(basic=True))
    clip: Range | None = Field(None, description=CLIP, json_schema_extra=also(metavar="LOW HIGH"))
    overwrite: bool = Field(False, description="Replace patches of an earlier cut.")

    @field_validator("terrain")
    @classmethod
    def _folder(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\w[\w .-]{0,99}", value):
            raise ValueError("must be the name of one folder: letters, digits, _, and after the first - . and spaces")
        return value


class TileCutSettings(PairViewSettings, CutFields):
    """Settings of ``rsforge data tile``."""


class StatsSettings(PairViewSettings, PairFields):
    """Settings of ``rsforge data stats``."""

    limit: Count | None = Field(None, description="Files to open for ranges and sizes; all when absent.")


class AuditSettings(PairViewSettings, PairFields):
    """Settings of ``rsforge data audit``."""

    radiometry: Unit = Field("auto", description=UNIT, json_schema_extra=also(basic=True))
    clip: Range | None = Field(None, description=CLIP, json_schema_extra=also(metavar="LOW HIGH"))
    allow_gray_optical: bool = Field(False, description=GRAY)
    output_dir: Path | None = Field(
        None,
        description="Folder for audit.json and audit.html; the data folder when absent.",
        json_schema_extra=also(basic=True),
    )
    split: Path | None = Field(None, description="Split to check for leaks; split.json of the data folder when absent.")
    image_size: Pixels | None = Field(
        None,
        description="Side that every image must have; the commonest when absent.",
        json_schema_extra=also(basic=True),
    )
    overlap_by_content: bool = Field(
        True, description="Find patches that share pixels by what they show: moved, compressed or brighter."
    )
    max_shift: float = Field(2.0, gt=0, le=1e6, description="Shift in pixels from which a pair is misregistered.")


class SplitSettings(PairFields):
    """Settings of ``rsforge data split``."""

    by: Literal["scene", "region", "coordinate", "block", "patch", "stated"] = Field(
        "scene",
        description="What stays in one subset: a scene, a region, near coordinates, or a block of pixels; stated keeps "
        "the sides that the source has (a column split, folders train and test), as is done when nothing is typed.",
        json_schema_extra=also(basic=True),
    )
    sides: Path | None = Field(
        None,
        description="JSON file of lists of files by subset (train, val, test), as published divisions have: its sides "
        "are those that are kept by --by stated, as is done when nothing is typed.",
    )
    val: ShareBelowOne = Field(
        0.2, description="Share for validation.", json_schema_extra=also("--val-fraction", basic=True)
    )
    test: ShareBelowOne = Field(
        0.0, description="Share for test.", json_schema_extra=also("--test-fraction", basic=True)
    )
    seed: Seed = Field(42, description="Seed of the random assignment.")
    block_size: Pixels | None = Field(None, description="Side of a block in pixels; four patches when absent.")
    guard: int = Field(
        0, ge=0, le=1_000_000, description="Least distance in pixels between patches of different subsets."
    )
    distance_km: float = Field(25.0, gt=0, le=20_038, description="Coordinates nearer than this stay together.")
    overlap_by_content: bool = Field(True, description=OVERLAP)
    output: Path | None = Field(
        None, description="Split file; split.json of the data folder when absent.", json_schema_extra=also(basic=True)
    )
    allow_leak: bool = Field(
        False,
        description="Accept a split where overlapping patches, or patches of unknown scene, are in different subsets.",
    )
    overwrite: bool = Field(False, description="Replace the split file.")
