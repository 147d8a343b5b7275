"""What the user may say to ``rsforge hsi``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rsforge.settings.base import (
    FORMER_SIDES,
    RECOMPUTE,
    SENSOR_OF_PATCHES,
    SENSORS,
    SPLIT,
    TEST_FRACTION,
    AverageSettings,
    Count,
    CountOrZero,
    Layers,
    LoopSettings,
    OptimSettings,
    RunSettings,
    SensorName,
    ShareBelowOne,
    SplitChoice,
    StoppingSettings,
    Weight,
    Width,
)
from rsforge.settings.document_keys import ADAM, DIVISION, SECTIONS
from rsforge.settings.sections import PathText, Section, also

SpectralModelName = Literal["spectral_sr", "spectral_unmixing", "spectral_transformer"]
Percent = Annotated[float, Field(ge=0, le=100)]


def _rising(span: tuple[float, float]) -> tuple[float, float]:
    if not span[0] < span[1]:
        raise ValueError("must be a low and a higher number")
    return span


class HsiRunSettings(RunSettings):
    """Run"""

    resume: Annotated[str | None, PathText(("auto",))] = Field(
        None,
        description="Checkpoint to continue from; without a value the newest in the output folder.",
        json_schema_extra=also("--resume-from", "--checkpoint", bare="auto", metavar="[PATH]", basic=True),
    )


class SpectralDataSettings(Section):
    """Data"""

    data_dir: Annotated[str, PathText()] = Field(
        "outputs/dataset_small",
        description="Folder of HDF5 files of paired patches, searched at any depth.",
        json_schema_extra=also("--dataset-path", metavar="PATH", basic=True),
    )
    val_fraction: ShareBelowOne = Field(
        0.2, description="Share of the patches held out, whole scenes or blocks of one at a time; 0 holds nothing out."
    )
    test_fraction: ShareBelowOne | None = TEST_FRACTION
    split: SplitChoice = Field("auto", description=SPLIT)
    divide_by: Literal["auto", "scene", "block"] = Field(
        "auto", description="What is held out together; auto takes scenes where there are several, else blocks."
    )
    allow_leak: bool = Field(
        False, description="Hold out single patches of one scene though they may overlap with those trained on."
    )
    crop_size: CountOrZero = Field(
        0, description="Width and height in pixels of random crops; 0 trains on whole patches."
    )
    crops_per_patch: Count = Field(1, description="Crops of each patch in an epoch.")
    augment: bool = Field(True, description="Mirror and turn patches by quarters, which changes no spectrum.")
    percentiles: Annotated[tuple[Percent, Percent], AfterValidator(_rising)] = Field(
        (1.0, 99.0),
        description="Percentiles of the training side, by sensor, that become 0 and 1.",
        json_schema_extra=also(metavar="LOW HIGH"),
    )
    per_band: bool = Field(False, description="Percentiles of each band, so that bright ones do not dominate.")
    clip_outliers: bool = Field(
        False, description="Cut off what lies beyond the percentiles, in inputs, targets and their figures."
    )


class SpectralNetworkSettings(Section):
    """Network"""

    model: SpectralModelName = Field(
        "spectral_sr",
        description="Convolutions along wavelength, mixtures of endmembers, or attention among channels.",
        json_schema_extra=also(basic=True),
    )
    size: Literal["standard", "large"] = Field(
        "standard", description="Size of spectral_sr: 4.1 or 7.0 million parameters for 340 bands."
    )
    hidden_width: Width | None = Field(
        None, description="Width of the expansion of spectral_sr; that of --size when absent."
    )
    blocks: Layers | None = Field(
        None, description="Residual blocks; when absent those of --size for spectral_sr, 6 for spectral_transformer."
    )
    features: Width = Field(8, description="Channels of the convolutions along wavelength of spectral_sr.")
    taps: Width = Field(7, description="Bands that such a convolution sees, an odd number.")
    transformer_width: Width = Field(128, description="Channels of spectral_transformer.")
    heads: Width = Field(4, description="Heads of its attention; they must divide --transformer-width.")
    attention_window: CountOrZero = Field(8, description="Side in pixels of its windows; 0 is the whole image.")
    endmembers: Width = Field(16, description="Pure spectra that spectral_unmixing mixes.")
    endmember_init: Literal["vca", "kmeans"] = Field(
        "vca", description="What they start from: corners of the data's simplex, or centres of its clusters."
    )
    gradient_checkpointing: bool = Field(False, description=RECOMPUTE)


class SpectralLossSettings(Section):
    """Loss"""

    l1_weight: Weight = Field(1.0, description="Weight of the mean absolute error.")
    l2_weight: Weight = Field(0.0, description="Weight of the mean squared error.")
    sam_weight: Weight = Field(0.1, description="Weight of the spectral angle in radians.")
    spectral_grad_weight: Weight = Field(0.1, description="Weight of the error of the slope along wavelength.")
    consistency_weight: Weight = Field(
        0.0,
        description="Weight of the difference between what Landsat measured and what it would measure of the "
        "prediction, through the response of the sensor: at Landsat's own pixels where all files have landsat_native "
        "(crops then begin at whole ones), else at those of the enlarged landsat, which not even true spectra meet.",
    )
    sensor: SensorName | None = Field(
        None,
        description=f"{SENSOR_OF_PATCHES} Used by --consistency-weight, and kept for hsi predict --project.",
        json_schema_extra=SENSORS,
    )

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if not any(value for name, value in self if name.endswith("_weight")):
            raise ValueError("all weights of the loss are 0: there is nothing to learn")
        return self


class SpectralTrainSettings(Section):
    """Settings of ``rsforge hsi train-spectral``."""

    file_sections = SECTIONS
    file_keys = (*ADAM, *DIVISION)
    former = FORMER_SIDES

    run: HsiRunSettings = HsiRunSettings(output_dir=Path("outputs/stage1_training"))
    data: SpectralDataSettings = SpectralDataSettings()
    network: SpectralNetworkSettings = SpectralNetworkSettings()
    loss: SpectralLossSettings = SpectralLossSettings()
    loop: LoopSettings = LoopSettings(epochs=100, batch_size=4, max_grad_norm=0.0, save_every=1, keep_checkpoints=3)
    optim: OptimSettings = OptimSettings(optimizer="adam", learning_rate=1e-4, lr_scheduler="plateau", lr_min=0.0)
    average: AverageSettings = AverageSettings(ema=False)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=30, oscillation_threshold=0.0)
