"""What the user may say to ``rsforge sample text``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import BASE_DIR, BATCH, DEVICE, DEVICES, BatchSize, Count, Device, ImageSize, Seed, Share
from rsforge.settings.sections import Section, also


class SampleTextSettings(Section):
    """Settings of ``rsforge sample text``."""

    pipeline: Path = Field(
        description="Stable Diffusion 1.x or 2.x: folder, .safetensors or .ckpt file, or the id of a downloaded model; "
        "or a checkpoint (.pt) of `diffusion finetune`.",
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
    base_dir: Path = Field(Path(), description=BASE_DIR)
    batch_size: BatchSize = Field(4, description=BATCH)
    seed: Seed | None = Field(None, description="Seed of the images; without it every call gives others.")
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    tokenizer: Path | None = Field(
        None,
        description="Folder of the tokenizer, which single files lack.",
        json_schema_extra=also(absent="the model's own, one beside the file, or a downloaded one"),
    )
    variant: Annotated[str, Field(pattern=r"^\w+$")] | None = Field(
        None, description="Variant of the weights, such as fp16, where a folder has several."
    )
    prediction: Literal["eps", "v"] | None = Field(
        None, description="What the network of a single file predicts, where the file does not say it."
    )
    allow_pickle: bool = Field(False, description="Read pickled weights of a folder too; nothing in them is executed.")

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
