"""What the user may say about a folder of images to train on."""

from __future__ import annotations

from pydantic import Field

from rsforge.settings.base import (
    DATA_DIR,
    OVERLAP,
    SPLIT,
    TEST_FRACTION,
    DataFolder,
    ImageSize,
    Share,
    ShareBelowOne,
    SplitChoice,
)
from rsforge.settings.sections import Section, also
from rsforge.settings.views import ViewSettings


class FolderSettings(Section):
    """Data"""

    data_dir: DataFolder = Field(
        description=DATA_DIR, json_schema_extra=also("--image-dir", "--dataset-path", metavar="PATH")
    )
    image_size: ImageSize = Field(
        128,
        description="Width and height in pixels that images are scaled and cropped to.",
        json_schema_extra=also(basic=True),
    )
    val_fraction: ShareBelowOne = Field(0.1, description="Share of the images held out for validation.")
    test_fraction: ShareBelowOne | None = TEST_FRACTION
    split: SplitChoice = Field("auto", description=SPLIT)
    overlap_by_content: bool = Field(True, description=OVERLAP)
    flip: Share = Field(0.5, description="Chance of mirroring an image left to right.")
    jitter: Share = Field(0.0, description="Strength of random brightness, contrast and saturation.")


class TileSettings(ViewSettings, FolderSettings):
    """Data"""
