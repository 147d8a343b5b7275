"""What the user may say to ``rsforge hsi predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rsforge.settings.base import BASE_DIR, DEVICE, DEVICES, SENSORS, BandName, Device, SensorName
from rsforge.settings.sections import Section, also


class HsiPredictSettings(Section):
    """Settings of ``rsforge hsi predict``."""

    stage1_checkpoint: Path = Field(
        description="Checkpoint of stage 1, which predicts spectra.",
        json_schema_extra=also(
            "--checkpoint", made="outputs/stage1_training/best_model.pth", by="hsi train-spectral", basic=True
        ),
    )
    stage2_checkpoint: Path | None = Field(
        None,
        description="Checkpoint of stage 2, which makes finer pixels; pixels stay those of the input when absent.",
        json_schema_extra=also(basic=True),
    )
    input: Path = Field(
        description="A GeoTIFF of Landsat, an HDF5 file of patches, or a folder of both searched at any depth.",
        json_schema_extra=also("--data-dir", metavar="PATH"),
    )
    output: Path = Field(
        description="Folder for the predictions, under the names of the files; for a single file its name: .tif, .img "
        "or .bsq for a scene, .h5 for patches.",
        json_schema_extra=also("--output-dir", "--output-path"),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    bands: tuple[BandName, ...] = Field(
        (),
        description="Bands of the scenes that the network takes, by number from 1 or by name, in the order of the "
        "training; when absent found by their names, else all.",
        json_schema_extra=also(metavar="N,N..."),
    )
    values: Literal["auto", "collection2", "training"] = Field(
        "auto",
        description="What the numbers of scenes are: those of Landsat Collection 2 Level 2, values in the unit of the "
        "training, or what the file says of itself.",
        json_schema_extra=also(basic=True),
    )
    scale_offset: tuple[float, float] | None = Field(
        None,
        description="A value is the stored number times SCALE plus OFFSET, in place of what the file states.",
        json_schema_extra=also(metavar="SCALE OFFSET"),
    )
    project: bool = Field(
        False,
        description="Move predictions to the nearest non-negative spectra that give what Landsat measured.",
        json_schema_extra=also(basic=True),
    )
    sensor: SensorName | None = Field(
        None,
        description="Sensor whose response --project uses: landsat7, landsat8, landsat9 or a table; that of the "
        "training when absent.",
        json_schema_extra=SENSORS,
    )
    tile: Annotated[int, Field(ge=16, le=16_384)] | None = Field(
        None,
        description="Pixels of Landsat computed at once each way; as many as suit the networks when absent. Lower it "
        "when memory runs out.",
    )
    overlap: Annotated[int, Field(ge=0, le=16_384)] | None = Field(
        None, description="Pixels that neighbouring tiles share; what the networks need to leave no seam when absent."
    )
    overwrite: bool = Field(False, description="Replace predictions of the same names.")
    skip_existing: bool = Field(False, description="Skip files whose prediction exists already.")
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
