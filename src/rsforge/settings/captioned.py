"""What the user may say about a folder of captioned images, to train on and to measure with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rsforge.settings.base import SPLIT, SplitChoice
from rsforge.settings.sections import PathText, Section, also


class CaptionedFolderSettings(Section):
    """Data"""

    data_dir: Annotated[str, PathText()] = Field(
        description="Folder of images; it or its parent holds metadata.jsonl with their captions.",
        json_schema_extra=also("--train-data-dir", "--image-dir", "--dataset-path", metavar="PATH", basic=True),
    )
    caption_column: str = Field("text", description="Key of the captions in metadata.jsonl; a text or a list of texts.")
    split: SplitChoice = Field("auto", description=SPLIT)
