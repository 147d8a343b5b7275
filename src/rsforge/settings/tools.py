"""What the user may say to ``rsforge demo``, ``doctor``, ``info`` and ``explain``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rsforge.settings.base import BASE_DIR, DEVICE, DEVICES, Device, Seed
from rsforge.settings.sections import Section, also


class DemoSettings(Section):
    """Settings of ``rsforge demo``."""

    output_dir: Path = Field(
        Path("runs/demo"),
        description="Folder for everything the demo writes.",
        json_schema_extra=also("--save-dir", basic=True),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    seed: Seed = Field(0, description="Seed of everything random.")
    minutes: float = Field(3.0, gt=0, le=10_080, description="Longest time the demo may take.")
    translator: bool = Field(
        False, description="Also train a SAR to optical translator, in 40 % of the time, and show it in strip.png."
    )
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    overwrite: bool = Field(False, description="Replace an earlier demo.")


class DoctorSettings(Section):
    """Settings of ``rsforge doctor``."""


class InfoSettings(Section):
    """Settings of ``rsforge info``."""

    checkpoint: Path = Field(description="Checkpoint to describe.", json_schema_extra=also(argument=True))


class ExplainSettings(Section):
    """Settings of ``rsforge explain``."""

    code: str | None = Field(
        None, description="Code of an error, e.g. RSF-D001; all when absent.", json_schema_extra=also(argument=True)
    )
