"""What the user may say to ``rsforge data`` about captioned images and images by class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rsforge.settings.base import BASE_DIR, ON_BAD, Range, Seed, Workers
from rsforge.settings.sections import PathText, Section, also

CAPTIONS = (
    "Captions to keep where there are several: first, all (a list in metadata.jsonl, one line each in captions.txt), "
    "random (seeded), join (one text), rows (one row each)."
)
CLIP = "Values of 16-bit images that become black and white; without it such an image is a bad row."
IMAGES_DIR = (
    "Name of the folder of images in the output folder; it, not the output folder, is the data_dir that "
    "`datasets` loads as an imagefolder."
)
OVERWRITE = "Replace what another extraction recorded in the output folder; files of others are never touched."
TOKENIZER = "CLIP's tokenizer.json, or its folder, to count tokens exactly; without it they are estimated by words."


class ParquetSettings(Section):
    """Settings of ``rsforge data parquet-to-jsonl``."""

    parquet_path: Annotated[str, PathText()] = Field(
        description="Parquet file, folder of shards, or quoted glob; tars of WebDataset too.",
        json_schema_extra=also("--parquet", metavar="PATH", absent="the one set of the current folder and of data"),
    )
    output_dir: Path = Field(
        Path("data"),
        description="Folder for images, captions.txt and metadata.jsonl.",
        json_schema_extra=also(basic=True),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    caption_file: str = Field(
        "captions.txt",
        description="Name of the caption table, which lies in the output folder.",
        json_schema_extra=also(basic=True),
    )
    images_dir: str = Field("rsicd_images", description=IMAGES_DIR)
    resolution: int = Field(512, ge=0, le=8192, description="Side of the images in pixels; 0 keeps the source.")
    resize_mode: Literal["stretch", "crop", "pad"] = Field(
        "stretch", description="How an image becomes square: stretched, cropped at the centre, or padded with black."
    )
    format: Literal["jpeg", "png", "webp"] = Field("jpeg", description="Format of the images.")
    quality: int = Field(95, ge=1, le=100, description="Quality of JPEG and WebP, in percent.")
    captions: Literal["first", "all", "random", "join", "rows"] = Field("first", description=CAPTIONS)
    clip: Range | None = Field(None, description=CLIP, json_schema_extra=also("--range", metavar="LOW HIGH"))
    image_column: str | None = Field(None, description="Column of images; detected when absent.")
    caption_column: str | None = Field(None, description="Column of captions; detected when absent.")
    name_column: str | None = Field(
        None,
        description="Column of the images' own names, such as filename, to keep under source in metadata.jsonl: in "
        "RSICD they tell the class.",
    )
    tokenizer: Path | None = Field(None, description=TOKENIZER)
    seed: Seed = Field(42, description="Seed of --captions random.")
    num_workers: Workers = Field(0, description="Threads that decode and encode; 0 takes one a core.")
    overwrite: bool = Field(False, description=OVERWRITE)
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)


class CaptionsSettings(Section):
    """Settings of ``rsforge data captions-to-jsonl``."""

    caption_file: Path = Field(description="Table of file name, tab, caption.")
    output_file: Path = Field(
        Path("metadata.jsonl"),
        description="File of JSON lines to write; a name in .tar becomes a shard of WebDataset, with the images.",
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    images_dir: Path | None = Field(None, description="Folder of the images: every one named must be there.")
    tokenizer: Path | None = Field(None, description=TOKENIZER)
    overwrite: bool = Field(False, description="Replace the output file.")
    on_bad: Literal["error", "skip"] = Field("error", description="What to do about a line that is no caption.")


class ClassesSettings(Section):
    """Settings of ``rsforge data prepare-classes``."""

    data_dir: Path = Field(
        Path("data/corel"),
        description="Folder of CLASS_NUMBER.png images, with classes.txt.",
        json_schema_extra=also(basic=True),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    output_dir: Path = Field(
        Path("training_data/corel"),
        description="Folder for corel_all and class_XXXX.",
        json_schema_extra=also(basic=True),
    )
    figs_dir: Path = Field(Path("figs"), description="Folder for the picture of samples.")
    visualize: bool = Field(True, description="Write a picture with three samples of each class.")
    copy_files: bool = Field(True, description="Copy the images; otherwise link them where the file system can.")
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
