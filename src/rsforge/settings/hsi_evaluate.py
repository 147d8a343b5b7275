"""What the user may say to ``rsforge hsi evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rsforge.settings.base import (
    BASE_DIR,
    DEVICE,
    DEVICES,
    SENSOR_OF_PATCHES,
    SENSORS,
    SPLIT,
    Device,
    SensorName,
    SplitChoice,
)
from rsforge.settings.evaluation import MeasuringSettings
from rsforge.settings.sections import PathText, Section, also


class SpectralMeasuringSettings(MeasuringSettings):
    """Evaluation"""

    output_dir: Path | None = Field(
        None,
        description="Folder for report.html, metrics.json and per_patch.csv; nothing is written when absent.",
        json_schema_extra=also(basic=True),
    )


class SpectralEvaluateSettings(Section):
    """Settings of ``rsforge hsi evaluate``."""

    stage1_checkpoint: Path = Field(
        description="Checkpoint of stage 1.",
        json_schema_extra=also("--checkpoint", made="outputs/stage1_training/best_model.pth", by="hsi train-spectral"),
    )
    stage2_checkpoint: Path | None = Field(
        None,
        description="Checkpoint of stage 2, which is then measured alone and after stage 1.",
        json_schema_extra=also(basic=True),
    )
    data_dir: Annotated[str, PathText()] = Field(
        "outputs/dataset_small",
        description="Folder of HDF5 files of paired patches, searched at any depth.",
        json_schema_extra=also("--dataset-path", metavar="PATH", basic=True),
    )
    project: bool = Field(
        False,
        description="Measure predictions moved to the nearest non-negative spectra that give what Landsat measured, as "
        "hsi predict --project writes them.",
    )
    sensor: SensorName | None = Field(
        None,
        description=f"{SENSOR_OF_PATCHES} Needed for response_rmse, and for --project where the training knew none.",
        json_schema_extra=SENSORS,
    )
    psnr_peak: Annotated[float, Field(ge=1e-30, le=1e30)] | None = Field(
        None,
        description="Largest value of the data in the unit of the files, to which MPSNR and mean PSNR are relative.",
        json_schema_extra=also(absent="the largest true value of the measured patches"),
    )
    split: SplitChoice = Field("auto", description=SPLIT)
    evaluation: SpectralMeasuringSettings = SpectralMeasuringSettings()
    base_dir: Path = Field(Path(), description=BASE_DIR)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
