"""What the user may say to ``rsforge diffusion export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.hub import PushSettings
from rsforge.settings.pretrained import PretrainedModelSettings
from rsforge.settings.sections import also

Words = Annotated[str, Field(max_length=400, pattern=r"^[^\n\r]+$")]


class DiffusionExportSettings(PretrainedModelSettings):
    """Settings of ``rsforge diffusion export``."""

    checkpoint: Path | None = Field(
        None,
        description="Checkpoint of rsforge, in place of --pipeline; of models that draw from a text alone.",
        json_schema_extra=also("--diffusion-checkpoint", basic=True),
    )
    output_dir: Path = Field(
        Path("exported_pipeline"),
        description="Folder that diffusers.StableDiffusionPipeline.from_pretrained is to load.",
        json_schema_extra=also(basic=True),
    )
    formats: tuple[Literal["torch", "onnx"], ...] = Field(
        (),
        description="Write each part as a program, too, which runs without rsforge: of torch.export, or ONNX; into "
        "programs/ of the output folder.",
    )
    overwrite: bool = Field(False, description="Replace a model that the output folder holds.")
    title: Words | None = Field(
        None, description="Heading of the model card.", json_schema_extra=also(absent="the output folder's name")
    )
    license: Words | None = Field(
        None, description="Licence of the model as the model card states it, such as apache-2.0 or openrail++."
    )
    data_license: Words | None = Field(None, description="Licence of the training images, for the model card.")
    datasets: Annotated[tuple[Words, ...], Field(max_length=64)] = Field(
        (), description="What the model was trained on, for the model card.", json_schema_extra=also("--dataset")
    )
    base_model: Words | None = Field(
        None,
        description="Model that this one was made from, for the model card.",
        json_schema_extra=also(absent="the id in --pipeline, where it is one"),
    )
    metrics: Path | None = Field(
        None, description="JSON file of figures for the model card, as evaluating commands write them."
    )
    hub: PushSettings = PushSettings()

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.pipeline is None) == (self.checkpoint is None):
            raise ValueError("give --pipeline or --checkpoint, one of the two")
        return self
