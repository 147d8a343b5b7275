"""What the user may say of the Stable Diffusion model that a command starts from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator

from rsforge.settings.base import BASE_DIR
from rsforge.settings.sections import PathText, Section, also

PIPELINE = "Model of Stable Diffusion 1.x or 2.x: folder, .safetensors or .ckpt file, or the id of a downloaded model."
GUIDANCE_RESCALE = (
    "Share, from 0 to 1, by which the standard deviation of the guided output of the network is moved back to that of "
    "its output for the prompt: strong guidance changes the contrast less."
)
MOST_WEIGHT = 100.0
_REVISION = r"^\w(\.?[\w+@=-])*(/\w(\.?[\w+@=-])*)*$"
"""Of the names that Git allows those that are safe as paths: no part is empty, begins with a dot or has two of them."""
_WEIGHTED = re.compile(r"(.+):([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


class WeightedAdapter(NamedTuple):
    """An adapter's file, or its folder, and how much of it counts."""

    path: Path
    weight: float


def split_weight(text: str) -> WeightedAdapter:
    """``FILE`` or ``FILE:0.8``; without a number behind the last colon the weight is 1."""
    found = _WEIGHTED.fullmatch(text)
    return WeightedAdapter(Path(found[1]), float(found[2])) if found else WeightedAdapter(Path(text), 1.0)


class ModelFormatSettings(Section):
    """Model"""

    tokenizer: Path | None = Field(
        None,
        description="Folder of the tokenizer, which single files lack.",
        json_schema_extra=also(absent="the model's own, one beside the file, or a downloaded one"),
    )
    variant: Annotated[str, Field(pattern=r"^\w+$")] | None = Field(
        None,
        description="Variant of the weights, such as fp16, where a folder has several.",
        json_schema_extra=also(form="a name of letters, digits and _"),
    )
    allow_pickle: bool = Field(False, description="Read pickled weights of a folder too; nothing in them is executed.")
    download: bool = Field(
        False, description="Download a model that is given by its id, or what the local cache lacks of it."
    )
    revision: Annotated[str, Field(pattern=_REVISION, max_length=200)] = Field(
        "main",
        description="Branch, tag or commit of a model that is given by its id, or a request such as refs/pr/3.",
        json_schema_extra=also(form="names of letters, digits, ., -, _, +, @ and =, with / between them"),
    )


def check_rescale(guidance_scale: float, guidance_rescale: float) -> None:
    """``ValueError`` where there is no guidance to rescale."""
    if guidance_rescale and guidance_scale == 1:
        raise ValueError("--guidance-rescale changes guidance; --guidance-scale 1 is none")


class PretrainedModelSettings(ModelFormatSettings):
    """Model"""

    pipeline: Path | None = Field(None, description=PIPELINE, json_schema_extra=also("--pretrained-model", basic=True))
    lora: Annotated[tuple[str, ...], PathText()] = Field(
        (),
        description="Low-rank adapter in safetensors, of diffusers, peft or kohya's programs, and its weight; several "
        "are added up.",
        json_schema_extra=also(metavar="FILE[:WEIGHT]", basic=True),
    )
    prediction: Literal["eps", "v"] | None = Field(
        None, description="What the network of a single file predicts, where the file does not say it."
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)

    @field_validator("lora")
    @classmethod
    def _weights_in_bounds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if abs(split_weight(text).weight) > MOST_WEIGHT:
                raise ValueError(f"the weight of {text} must be from -{MOST_WEIGHT:g} to {MOST_WEIGHT:g}")
        return value

    @property
    def adapters(self) -> list[WeightedAdapter]:
        """The adapters in the order in which they were given."""
        return [split_weight(text) for text in self.lora]
