"""What the user may say to ``rsforge hsi train-spatial``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rsforge.settings.base import (
    FORMER_SIDES,
    RECOMPUTE,
    AverageSettings,
    CountOrZero,
    Layers,
    LoopSettings,
    OptimSettings,
    StoppingSettings,
    Weight,
    Width,
)
from rsforge.settings.document_keys import ADAM, DIVISION, SECTIONS
from rsforge.settings.hsi import HsiRunSettings, SpectralDataSettings
from rsforge.settings.sections import Section, also

SpatialModelName = Literal["spatial_sr", "lightweight"]
Source = Literal["stage1", "truth", "mix"]


def _spell_number(value: Any) -> Any:
    """Numbers of files as words."""
    return str(value) if isinstance(value, int | float) else value


def _spell_ratio(text: str) -> str:
    """One spelling of each ratio, so that 15/2 goes on where 7.5 began: 7.5, 4 or 10/3."""
    try:
        ratio = Fraction(text)
    except ZeroDivisionError:
        raise ValueError("must not be divided by zero") from None
    decimal = f"{float(ratio):g}"
    return decimal if Fraction(decimal) == ratio else str(ratio)


# As many digits as no ratio needs that a network could have.
Ratio = Annotated[
    str,
    BeforeValidator(_spell_number),
    Field(pattern=r"^\d{1,4}(\.\d{1,6}|/\d{1,4})?$"),
    AfterValidator(_spell_ratio),
]


class SpatialDataSettings(SpectralDataSettings):
    """Data"""

    crop_size: CountOrZero = Field(
        0,
        description="Width and height of random crops in fine pixels, a multiple of what whole coarse ones cover; 0 "
        "trains on as much of a patch as they cover, 255 of 256 pixels at 7.5.",
    )
    source: Source = Field(
        "stage1",
        description="What is enlarged: what stage 1 predicts, the area means of the true spectra, or one or the other "
        "by chance; held-out patches are enlarged from what stage 1 predicts unless it is truth.",
        json_schema_extra=also(basic=True),
    )
    stage1_checkpoint: Path | None = Field(
        None,
        description="Checkpoint of stage 1, whose predictions and normalisation are used.",
        json_schema_extra=also(made="outputs/stage1_training/best_model.pth", by="hsi train-spectral"),
    )


class SpatialNetworkSettings(Section):
    """Network"""

    model: SpatialModelName = Field(
        "spatial_sr",
        description="Residual channel attention, 2.2 million parameters for 340 bands, or a few plain convolutions, "
        "0.13 million.",
        json_schema_extra=also(basic=True),
    )
    scale: Ratio = Field(
        "7.5",
        description="Width of a coarse pixel in fine ones, a number or a ratio such as 15/2.",
        json_schema_extra=also(metavar="RATIO", form="a number or a ratio such as 15/2", basic=True),
    )
    num_features: Width | None = Field(None, description="Channels; when absent 64 for spatial_sr, 16 for lightweight.")
    num_groups: Layers = Field(4, description="Groups of attention blocks of spatial_sr.")
    num_blocks: Layers = Field(4, description="Attention blocks in each group.")
    attention_window: CountOrZero = Field(
        5, description="Side in coarse pixels of what its attention averages, an odd number; 0 is the whole image."
    )
    corrections: Annotated[int, Field(ge=0, le=16)] = Field(
        2, description="Times that what the means of the fine pixels lack of the coarse ones is added to the result."
    )
    num_layers: Layers = Field(2, description="Convolutions of lightweight.")
    gradient_checkpointing: bool = Field(False, description=RECOMPUTE)


class SpatialLossSettings(Section):
    """Loss"""

    l1_weight: Weight = Field(1.0, description="Weight of the mean absolute error.")
    l2_weight: Weight = Field(0.0, description="Weight of the mean squared error.")
    sam_weight: Weight = Field(0.05, description="Weight of the spectral angle in radians.")

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if not any((self.l1_weight, self.l2_weight, self.sam_weight)):
            raise ValueError("all weights of the loss are 0: there is nothing to learn")
        return self


class SpatialTrainSettings(Section):
    """Settings of ``rsforge hsi train-spatial``."""

    file_sections = SECTIONS
    file_keys = (*ADAM, *DIVISION)
    former = FORMER_SIDES

    run: HsiRunSettings = HsiRunSettings(output_dir=Path("outputs/stage2_training"))
    data: SpatialDataSettings = SpatialDataSettings()
    network: SpatialNetworkSettings = SpatialNetworkSettings()
    loss: SpatialLossSettings = SpatialLossSettings()
    loop: LoopSettings = LoopSettings(epochs=100, batch_size=4, max_grad_norm=0.0, save_every=1, keep_checkpoints=3)
    optim: OptimSettings = OptimSettings(optimizer="adam", learning_rate=1e-4, lr_scheduler="plateau", lr_min=0.0)
    average: AverageSettings = AverageSettings(ema=False)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=30, oscillation_threshold=0.0)
