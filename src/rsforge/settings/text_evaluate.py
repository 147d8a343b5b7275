"""What the user may say to ``rsforge diffusion evaluate-text``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import (
    BATCH,
    DEVICE,
    DEVICES,
    ON_BAD,
    BatchSize,
    Count,
    CountOrZero,
    Device,
    ImageSize,
    Seed,
    Share,
)
from rsforge.settings.captioned import CaptionedFolderSettings
from rsforge.settings.evaluation import MeasuringSettings
from rsforge.settings.pretrained import GUIDANCE_RESCALE, PIPELINE, PretrainedModelSettings, check_rescale
from rsforge.settings.sections import also
from rsforge.settings.views import ViewSettings

RECORD = "evaluation.json"


class CaptionedSubsetSettings(CaptionedFolderSettings):
    """Data"""

    class_column: str | None = Field(
        None,
        description="Key of the class of an image in metadata.jsonl, or of a file name that tells it.",
        json_schema_extra=also(absent="source where it is there, else the file's name: airport of airport_12.jpg"),
    )
    max_images: Count | None = Field(
        None,
        description="Most images to measure, chosen by the seed; all when absent.",
        json_schema_extra=also(basic=True),
    )


class CaptionedDataSettings(ViewSettings, CaptionedSubsetSettings):
    """Data"""


class TextMeasuringSettings(MeasuringSettings):
    """Evaluation"""

    output_dir: Path | None = Field(
        None,
        description="Folder for evaluation.json, per_image.csv, examples.png, report.html and the images that were "
        "drawn, which an interrupted call goes on with; nothing is written when absent.",
        json_schema_extra=also(basic=True),
    )
    seed: Seed = Field(42, description="Seed of the images, of the choice of --max-images and of the bootstrap.")
    inception_weights: Path | None = Field(
        None,
        description="File of the Inception weights of FID and KID, as torch-fidelity and pytorch-fid load them; else "
        "the torch hub cache.",
    )
    clip_model: Path | None = Field(
        None,
        description="Folder of a CLIPModel of transformers, for the CLIP score; none is measured when absent.",
        json_schema_extra=also(basic=True),
    )
    resnet_weights: Path | None = Field(
        None,
        description="File of torchvision's ResNet-18, which the classifier of the zero-shot accuracy begins with; else "
        "the torch hub cache, else random weights.",
    )
    classifier_epochs: CountOrZero = Field(
        50,
        description="Passes of the classifier over the drawn images; 50 over one a caption are as many steps as the "
        "published 5 over ten. 0 measures no zero-shot accuracy.",
    )
    compare: Path | None = Field(
        None,
        description=f"{RECORD} of another model, which is compared where it was measured in the same way.",
        json_schema_extra=also(basic=True),
    )


class TextEvaluateSettings(PretrainedModelSettings):
    """Settings of ``rsforge diffusion evaluate-text``."""

    pipeline: Path = Field(
        description=f"{PIPELINE[:-1]}; or a checkpoint (.pt) of `diffusion finetune`.",
        json_schema_extra=also("--pretrained-model", "--checkpoint", "--model-checkpoint", basic=True),
    )
    negative_prompt: str = Field("", description="What guidance leads away from.")
    guidance_scale: Annotated[float, Field(ge=1, le=100)] = Field(
        7.5, description="How much the caption counts; 1 is no guidance.", json_schema_extra=also(basic=True)
    )
    guidance_rescale: Share = Field(0.0, description=GUIDANCE_RESCALE)
    num_inference_steps: Count = Field(
        100, description="Steps of the walk.", json_schema_extra=also("--ddim-steps", basic=True)
    )
    sampler: Literal["ddpm", "ddim", "dpm++", "euler"] | None = Field(
        None, description="Sampler; without it the one that is nearest to the model's scheduler."
    )
    image_size: ImageSize | None = Field(
        None,
        description="Side of the images in pixels.",
        json_schema_extra=also("--resolution", absent="that of the model's training"),
    )
    data: CaptionedDataSettings
    evaluation: TextMeasuringSettings = TextMeasuringSettings()
    validation_draws: Annotated[int, Field(ge=2, le=4096, multiple_of=2)] | None = Field(
        None,
        description="Timesteps at which each image is measured for the validation loss, an even number.",
        json_schema_extra=also(absent="as many as the training took, else 4"),
    )
    batch_size: BatchSize = Field(4, description=BATCH)
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)

    @model_validator(mode="after")
    def _rescale_of_guidance(self) -> Self:
        check_rescale(self.guidance_scale, self.guidance_rescale)
        return self

    @model_validator(mode="after")
    def _record_elsewhere(self) -> Self:
        own = self.evaluation
        if own.compare and own.output_dir and own.compare.resolve() == (own.output_dir / RECORD).resolve():
            raise ValueError(f"--compare is the {RECORD} that this evaluation would replace; name another --output-dir")
        return self
