"""What the user may say to ``rsforge weights``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rsforge.settings.sections import Section, also


class WeightsListSettings(Section):
    """Settings of ``rsforge weights ls``."""


class WeightsFetchSettings(Section):
    """Settings of ``rsforge weights fetch``."""

    name: Literal["vgg16", "inception", "resnet18"] = Field(
        description="Weights to download: vgg16 for perceptual losses and LPIPS, inception for FID and KID, resnet18 "
        "for the zero-shot accuracy of text-to-image models.",
        json_schema_extra=also(argument=True),
    )
    source: str | None = Field(
        None,
        description="Address to download from, for a mirror; the digest must be that of the published file all the "
        "same. When absent the publisher's.",
        json_schema_extra=also(metavar="URL"),
    )
    timeout: float = Field(60.0, gt=0, le=3600, description="Seconds to wait for an answer before giving up.")
    overwrite: bool = Field(False, description="Replace a file of that name with other bytes.")

    @field_validator("source")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return value
