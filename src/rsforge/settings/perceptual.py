"""Whether a training compares VGG16 features."""

from __future__ import annotations

from typing import Any, Literal

from rsforge.settings.sections import also

PerceptualChoice = Literal["auto", "yes", "no"]
PERCEPTUAL: dict[str, Any] = also(bare="yes", negative="no")
DESCRIPTION = (
    "Also compare VGG16 features; auto does where their weights are found, and says so where they are not. "
    "Without a value yes: weights that are missing are then an error."
)
VGG_WEIGHTS = "File of VGG16 weights; else the torch hub cache, where `rsforge weights fetch vgg16` puts them."
