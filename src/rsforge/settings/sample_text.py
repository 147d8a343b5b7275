"""What the user may say to ``rsforge sample text``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import BATCH, DEVICE, DEVICES, BatchSize, Count, Device, ImageSize, Seed, Share
from rsforge.settings.pretrained import GUIDANCE_RESCALE, PIPELINE, PretrainedModelSettings, check_rescale
from rsforge.settings.sections import also


class SampleTextSettings(PretrainedModelSettings):
    """Settings of ``rsforge sample text``."""

    pipeline: Path = Field(
        description=f"{PIPELINE[:-1]}; or a checkpoint (.pt) of `diffusion finetune`.",
        json_schema_extra=also("--pretrained-model", "--model-checkpoint"),
    )
    prompt: str | None = Field(None, description="What to draw.", json_schema_extra=also(basic=True))
    prompts_file: Path | None = Field(
        None, description="Text file with a prompt a line, in place of --prompt.", json_schema_extra=also(basic=True)
    )
    negative_prompt: str = Field("", description="What guidance leads away from.", json_schema_extra=also(basic=True))
    guidance_scale: Annotated[float, Field(ge=1, le=100)] = Field(
        7.5, description="How much the prompt counts; 1 is no guidance.", json_schema_extra=also(basic=True)
    )
    guidance_rescale: Share = Field(0.0, description=GUIDANCE_RESCALE)
    num_inference_steps: Count = Field(
        100, description="Steps of the walk.", json_schema_extra=also("--ddim-steps", basic=True)
    )
    sampler: Literal["ddpm", "ddim", "dpm++", "euler"] | None = Field(
        None, description="Sampler; without it the one that is nearest to the model's scheduler."
    )
    eta: Share = Field(0.0, description="Noise of DDIM; above 0 the sampler is DDIM.")
    num_images: Count = Field(1, description="Images of each prompt.", json_schema_extra=also(basic=True))
    image_size: ImageSize | None = Field(
        None,
        description="Side of the images in pixels.",
        json_schema_extra=also("--resolution", absent="that of the model's training", basic=True),
    )
    output: Path = Field(
        Path("generated_images.png"),
        description="Picture to write, all images in a grid; up to 16 are also written one by one.",
        json_schema_extra=also(basic=True),
    )
    nrow: Count = Field(4, description="Images in a row of the grid.")
    batch_size: BatchSize = Field(4, description=BATCH)
    seed: Seed | None = Field(None, description="Seed of the images; without it every call gives others.")
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)

    @model_validator(mode="after")
    def _rescale_of_guidance(self) -> Self:
        check_rescale(self.guidance_scale, self.guidance_rescale)
        return self

    @model_validator(mode="after")
    def _one_source_of_prompts(self) -> Self:
        if (self.prompt is None) == (self.prompts_file is None):
            raise ValueError("give --prompt or --prompts-file, one of the two")
        return self

    @model_validator(mode="after")
    def _noise_of_ddim(self) -> Self:
        if self.eta and self.sampler not in (None, "ddim"):
            raise ValueError(f"--eta is the noise of --sampler ddim; {self.sampler} has none to choose")
        return self
