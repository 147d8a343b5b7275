"""What the user may say of the model hub that a finished model is sent to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rsforge.settings.sections import Section, also


class PushSettings(Section):
    """Hub"""

    push_to_hub: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$", max_length=200)] | None = Field(
        None,
        description="Send what the command has made to the hub as OWNER/NAME; without a value its name is that of the "
        "output folder.",
        json_schema_extra=also(
            bare="auto", metavar="[NAME]", form="OWNER/NAME or NAME, of letters, digits, ., - and _"
        ),
    )
    hub_private: bool = Field(
        False,
        description="Make the hub's model private, where it is made.",
        json_schema_extra=also("--hub-private-repo"),
    )
