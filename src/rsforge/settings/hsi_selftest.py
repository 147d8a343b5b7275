"""What the user may say to ``rsforge hsi selftest``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rsforge.settings.base import DEVICE, DEVICES, Device, Seed
from rsforge.settings.sections import PathText, Section, also


class SelftestSettings(Section):
    """Settings of ``rsforge hsi selftest``."""

    data_dir: Annotated[str | None, PathText()] = Field(
        None,
        description="Folder of HDF5 files of paired patches, of which two are used; without it two are drawn.",
        json_schema_extra=also("--dataset-path", metavar="PATH", basic=True),
    )
    drawn_bands: Annotated[int, Field(ge=8, le=340)] = Field(
        340, description="Bands of drawn patches; fewer take less time and memory."
    )
    seed: Seed = Field(42, description="Seed of everything random.")
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
