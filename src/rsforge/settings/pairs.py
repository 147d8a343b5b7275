"""What the user may say about pairs of SAR and optical images to train on and to measure with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rsforge.settings.base import (
    OVERLAP,
    SPLIT,
    TEST_FRACTION,
    Count,
    DataFolder,
    Range,
    Share,
    ShareBelowOne,
    SplitChoice,
)
from rsforge.settings.data_pairs import CLIP, GRAY, UNIT, Unit
from rsforge.settings.sections import Section, also
from rsforge.settings.views import PairViewSettings

PairLayout = Literal["auto", "regions", "terrain", "names", "nested", "mixed"]


class PairFolderSettings(Section):
    """Data"""

    data_dir: DataFolder = Field(
        description="Folder of SAR and optical pairs; the word `synthetic` generates pairs instead.",
        json_schema_extra=also("--dataset-path", "--image-dir", metavar="PATH"),
    )
    layout: PairLayout = Field("auto", description="Layout of the files; auto detects it.")
    terrains: tuple[str, ...] = Field(
        (), description="Terrain folders to take; all when absent.", json_schema_extra=also(basic=True)
    )
    max_per_terrain: Count | None = Field(
        1000, description="Pairs of each terrain, in sorted order; none takes all of them."
    )
    split: SplitChoice = Field("auto", description=SPLIT)
    radiometry: Unit = Field("auto", description=UNIT, json_schema_extra=also(basic=True))
    clip: Range | None = Field(None, description=CLIP, json_schema_extra=also(metavar="LOW HIGH"))
    allow_gray_optical: bool = Field(False, description=GRAY)


class PairDataSettings(PairViewSettings, PairFolderSettings):
    """Data"""


class DividedPairSettings(PairDataSettings):
    """Data"""

    image_size: Annotated[int, Field(ge=32, le=16_384)] = Field(
        256,
        description="Width and height in pixels that images are scaled and cropped to.",
        json_schema_extra=also("--img-size", basic=True),
    )
    val_fraction: ShareBelowOne = Field(0.2, description="Share of the pairs held out, whole scenes at a time.")
    test_fraction: ShareBelowOne | None = TEST_FRACTION
    allow_leak: bool = Field(
        False,
        description="Hold out single patches whose scene is unknown; patches of one scene may then be in both subsets.",
    )
    overlap_by_content: bool = Field(True, description=OVERLAP)
    flip: Share = Field(
        0.0, description="Chance of mirroring a pair left to right: the radar then looks from the other side."
    )
    half_turn: Share = Field(
        0.0,
        description="Chance of turning a pair by 180 degrees: the radar then looks, and the sun shines, from the other "
        "side.",
    )


class PairTrainingSettings(DividedPairSettings):
    """Data"""

    unpaired: bool = Field(
        False,
        description="Train on unpaired images: no L1, no content loss; discriminators see no source image.",
        json_schema_extra=also(basic=True),
    )


ALL_PAIRS = "Pairs of each folder, in sorted order; all when absent."


class PromptedPairSettings(DividedPairSettings):
    """Data"""

    max_per_terrain: Count | None = Field(None, description=ALL_PAIRS)


class PromptedPairDataSettings(PairDataSettings):
    """Data"""

    max_per_terrain: Count | None = Field(None, description=ALL_PAIRS)
