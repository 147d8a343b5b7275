"""What the user may say to ``rsforge diffusion evaluate-unconditional``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rsforge.settings.base import (
    BASE_DIR,
    BATCH,
    DATA_DIR,
    DEVICE,
    DEVICES,
    ON_BAD,
    SPLIT,
    BatchSize,
    Count,
    DataFolder,
    Device,
    Seed,
    SplitChoice,
)
from rsforge.settings.evaluation import EvaluationSettings
from rsforge.settings.sample import CHECKPOINT, PARTNER, VAE_CHECKPOINT
from rsforge.settings.sections import Section, also
from rsforge.settings.views import ViewSettings


class SampledEvaluationSettings(EvaluationSettings):
    """Evaluation"""

    output_dir: Path | None = Field(
        None,
        description="Folder for evaluation.json, per_image.csv, examples.png and samples.png; nothing is written when "
        "absent.",
        json_schema_extra=also(basic=True),
    )
    vgg_weights: Path | None = Field(
        None, description="File of VGG16 weights for the kernel distance; else the torch hub cache."
    )
    seed: Seed = Field(42, description="Seed of the samples, of decoded noise and of the bootstrap.")


class UnconditionalFields(Section):
    """Options"""

    diffusion_checkpoint: Path = Field(
        description=CHECKPOINT,
        json_schema_extra=also(
            "--checkpoint", "--model-checkpoint", made="diffusion_models/best_model.pt", by="diffusion train"
        ),
    )
    vae_checkpoint: Path | None = Field(None, description=VAE_CHECKPOINT, json_schema_extra=PARTNER)
    data_dir: DataFolder = Field(
        description=DATA_DIR, json_schema_extra=also("--image-dir", "--dataset-path", metavar="PATH")
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    validation_draws: Annotated[int, Field(ge=8, le=4096, multiple_of=8)] | None = Field(
        None,
        description="Timesteps at which each image is measured, a multiple of 8.",
        json_schema_extra=also(absent="as many as the training took where that is a multiple of 8, else 64"),
    )
    num_images: Annotated[int, Field(ge=3, le=1_000_000)] = Field(
        64, description="Samples to draw, for the distances of sets.", json_schema_extra=also(basic=True)
    )
    num_inference_steps: Count | None = Field(
        None,
        description="Steps of the walk; without it DDIM and Euler take 50, DPM++ 20, flow models 4, DDPM all.",
        json_schema_extra=also("--ddim-steps", basic=True),
    )
    sampler: Literal["ddpm", "ddim", "dpm++", "euler"] | None = Field(
        None, description="Sampler; without it Euler for flow models, else DDIM."
    )
    batch_size: BatchSize = Field(16, description=BATCH)
    split: SplitChoice = Field("auto", description=SPLIT)
    evaluation: SampledEvaluationSettings = SampledEvaluationSettings()
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    use_ema: bool = Field(True, description="Measure the averaged weights where the checkpoint has them.")
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)


class UnconditionalEvaluateSettings(ViewSettings, UnconditionalFields):
    """Settings of ``rsforge diffusion evaluate-unconditional``."""
