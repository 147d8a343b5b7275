"""What the user may say to ``rsforge data synth``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rsforge.settings.base import BASE_DIR, Count, Seed
from rsforge.settings.sections import Section, also


class SynthSettings(Section):
    """Settings of ``rsforge data synth``."""

    kind: Literal["tiles", "pairs", "pairs-csv", "captions", "cube", "scene"] = Field(
        description="Data to generate: tiles by class, SAR and optical pairs by terrain or by region with CSV tables, "
        "captioned Parquet, a hyperspectral cube, or a georeferenced scene."
    )
    count: Count | None = Field(
        None,
        description="Tiles, pairs or captioned images, 16 when absent; cubes or scenes, 1 when absent.",
        json_schema_extra=also(basic=True),
    )
    size: int = Field(128, ge=8, le=4096, description="Side in pixels.", json_schema_extra=also(basic=True))
    every_season: bool = Field(
        False,
        description="Draw each scene of pairs-csv in all four seasons: one SAR image, four optical ones.",
    )
    output_dir: Path = Field(description="Folder to write.")
    base_dir: Path = Field(Path(), description=BASE_DIR)
    seed: Seed = Field(42, description="Seed of the synthetic data.")
    overwrite: bool = Field(False, description="Replace a synthetic data set that the folder holds.")
