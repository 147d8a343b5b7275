"""What the user may say to ``rsforge clip``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rsforge.settings.base import (
    BASE_DIR,
    BATCH,
    DEVICE,
    DEVICES,
    FORMER_SIDES,
    ON_BAD,
    AverageSettings,
    BatchSize,
    Device,
    Layers,
    LoopSettings,
    OptimSettings,
    RunSettings,
    ShareBelowOne,
    StoppingSettings,
    Width,
    Widths,
)
from rsforge.settings.document_keys import ADAM, DIVISION, MIRRORING, SECTIONS
from rsforge.settings.evaluation import MeasuringSettings
from rsforge.settings.pairs import PromptedPairDataSettings, PromptedPairSettings
from rsforge.settings.sections import Section, also

MADE = also("--clip-checkpoint", made="checkpoints/clip/best_clip.pt", by="clip train")


class ClipDataSettings(PromptedPairSettings):
    """Data"""

    image_size: Annotated[int, Field(ge=8, le=16_384)] = Field(
        64,
        description="Width and height in pixels that images are scaled and cropped to; colours tell seasons and "
        "regions apart, so that few do.",
        json_schema_extra=also("--img-size", basic=True),
    )


class TextEncoderSettings(Section):
    """Text encoder"""

    vocab_size: Annotated[int, Field(ge=5, le=65_536)] = Field(
        1000,
        description="Most words that the vocabulary may have, four specials included; it has as many as the prompts.",
        json_schema_extra=also(basic=True),
    )
    embedding_dim: Width = Field(
        768, description="Width of a token's vector: 512, 768 or 1024.", json_schema_extra=also(basic=True)
    )
    max_length: Annotated[int, Field(ge=3, le=4096)] = Field(
        77, description="Tokens of a prompt, start and end included; the longest prompt must fit."
    )
    num_heads: Width = Field(12, description="Heads of attention; they must divide --embedding-dim.")
    num_layers: Layers = Field(12, description="Transformer blocks.", json_schema_extra=also(basic=True))
    dropout: ShareBelowOne = Field(0.1, description="Share of the blocks' outputs that training leaves out.")
    prompt_template: str | None = Field(
        None,
        description="Prompt of an image, with columns of the tables in braces; when absent "
        "`Colorise image, Region: {region}, Season: {season}`.",
        json_schema_extra=also(basic=True),
    )


class ImageEncoderSettings(Section):
    """Image encoder"""

    image_channels: Annotated[Widths, Field(min_length=1)] = Field(
        (64, 128, 256, 512), description="Widths of the levels, each of which halves the side."
    )
    projection_dim: Width = Field(512, description="Width of the space in which prompts and images are compared.")


class ClipTrainSettings(Section):
    """Settings of ``rsforge clip train``."""

    file_sections: ClassVar[Mapping[str, tuple[str, ...]]] = {**SECTIONS, "model": ("encoder",)}
    file_keys = (*ADAM, *DIVISION, *MIRRORING)
    former = FORMER_SIDES

    run: RunSettings = RunSettings(output_dir=Path("checkpoints/clip"))
    data: ClipDataSettings
    encoder: TextEncoderSettings = TextEncoderSettings()
    image: ImageEncoderSettings = ImageEncoderSettings()
    loop: LoopSettings = LoopSettings(epochs=50, batch_size=32, max_grad_norm=1.0, save_every=5)
    optim: OptimSettings = OptimSettings(
        learning_rate=1e-4, weight_decay=0.01, decay_norms=False, lr_scheduler="cosine", lr_min=1e-6,
        lr_warmup_steps=1000,
    )  # fmt: skip
    average: AverageSettings = AverageSettings(ema=False)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=0, oscillation_threshold=0.0)


class ClipEvaluateSettings(Section):
    """Settings of ``rsforge clip evaluate``."""

    checkpoint: Path = Field(description="Checkpoint of the training.", json_schema_extra=MADE)
    data: PromptedPairDataSettings
    evaluation: MeasuringSettings = MeasuringSettings()
    base_dir: Path = Field(Path(), description=BASE_DIR)
    batch_size: BatchSize = Field(32, description=BATCH)
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
