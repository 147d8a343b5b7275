"""What the user may say to ``rsforge sample single``, ``batch``, ``scene`` and ``dataset``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import (
    BASE_DIR,
    BATCH,
    DEVICE,
    DEVICES,
    BandName,
    BatchSize,
    Count,
    Device,
    Range,
    Seed,
    Share,
)
from rsforge.settings.data_pairs import CLIP, UNIT, Unit
from rsforge.settings.evaluation import LPIPS_WEIGHTS
from rsforge.settings.pairs import PairDataSettings
from rsforge.settings.sections import Section, also
from rsforge.settings.views import FILL, Value

Region = Literal["tropical", "temperate", "arctic", "unknown"]
Season = Literal["winter", "spring", "summer", "autumn", "fall", "unknown"]
PARTNER = "Checkpoint of the {} that the model was trained with."
ABSENT = "the one that the model names, looked for beside it and where it was then"
REGION = "Region that the prompt names."
PROMPT = "Prompt in place of the one made of region and season."
SEASON = "Season that the prompt names; autumn is fall."


class SarModelSettings(Section):
    """Drawing"""

    model_checkpoint: Path = Field(
        description="Checkpoint of the diffusion model.",
        json_schema_extra=also(
            "--diffusion-checkpoint", made="checkpoints/model/best_model.pt", by="diffusion train-sar"
        ),
    )
    clip_checkpoint: Path | None = Field(
        None, description=PARTNER.format("text encoder"), json_schema_extra=also(absent=ABSENT)
    )
    vae_checkpoint: Path | None = Field(
        None, description=PARTNER.format("autoencoder"), json_schema_extra=also("--vae", absent=ABSENT)
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    strength: Share = Field(
        0.8,
        description="How far from the encoded SAR image the drawing begins: 1 with noise alone; 0 shows what the "
        "autoencoder makes of the SAR image.",
        json_schema_extra=also(basic=True),
    )
    guidance_scale: Annotated[float, Field(ge=1, le=100)] = Field(
        7.5, description="How much the prompt counts; 1 is no guidance.", json_schema_extra=also(basic=True)
    )
    num_inference_steps: Count | None = Field(
        None,
        description="Steps of the walk; without it 50, for flow models 4.",
        json_schema_extra=also("--ddim-steps", basic=True),
    )
    sampler: Literal["ddpm", "ddim", "dpm++", "euler"] | None = Field(
        None, description="Sampler; without it Euler for flow models, else DDIM."
    )
    eta: Share = Field(0.0, description="Noise of DDIM; above 0 the sampler is DDIM.")
    samples: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Draws for each image; from 2 on their mean and their spread are written too."
    )
    batch_size: BatchSize = Field(4, description=BATCH)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    use_ema: bool = Field(True, description="Draw with the averaged weights where the checkpoint has them.")

    @model_validator(mode="after")
    def _noise_of_ddim(self) -> Self:
        if self.eta and self.sampler not in (None, "ddim"):
            raise ValueError(f"--eta is the noise of --sampler ddim; {self.sampler} has none to choose")
        return self


class DrawingSettings(SarModelSettings):
    """Drawing"""

    seed: Seed | None = Field(None, description="Seed of the images; without it every call gives others.")


class FileDrawingSettings(DrawingSettings):
    """Drawing"""

    radiometry: Unit = Field("auto", description=UNIT)
    clip: Range | None = Field(None, description=CLIP, json_schema_extra=also(metavar="LOW HIGH"))
    fill: Value | None = Field(None, description=FILL)


class SampleSingleSettings(FileDrawingSettings):
    """Settings of ``rsforge sample single``."""

    input_image: Path = Field(description="SAR image.", json_schema_extra=also("--input"))
    region: Region = Field("temperate", description=REGION, json_schema_extra=also(basic=True))
    season: Season = Field("summer", description=SEASON, json_schema_extra=also(basic=True))
    prompt: str | None = Field(None, description=PROMPT)
    output_path: Path | None = Field(
        None,
        description="Picture to write.",
        json_schema_extra=also("--output", absent="generated_REGION_SEASON.png", basic=True),
    )


class SampleBatchSettings(FileDrawingSettings):
    """Settings of ``rsforge sample batch``."""

    input_dir: Path = Field(description="Folder of SAR images, in sorted order.", json_schema_extra=also("--input"))
    regions: tuple[Region, ...] = Field(
        ("temperate",), description="Regions that the prompts name, one image after the other, again from the first."
    )
    seasons: tuple[Season, ...] = Field(
        ("summer",), description="Seasons that the prompts name, one image after the other, again from the first."
    )
    output_dir: Path = Field(
        Path("generated_images"), description="Folder for the images.", json_schema_extra=also("--output", basic=True)
    )


class SampleSceneSettings(FileDrawingSettings):
    """Settings of ``rsforge sample scene``."""

    input: Path = Field(description="SAR image of any size.", json_schema_extra=also("--input-image"))
    output: Path = Field(
        Path("optical.tif"), description="GeoTIFF to write.", json_schema_extra=also("--output-path", basic=True)
    )
    region: Region = Field("temperate", description=REGION, json_schema_extra=also(basic=True))
    season: Season = Field("summer", description=SEASON, json_schema_extra=also(basic=True))
    prompt: str | None = Field(None, description=PROMPT)
    bands: tuple[BandName, ...] = Field(
        (),
        description="Bands of the image to take, by number from 1 or by name, in the order of the training; all when "
        "absent.",
        json_schema_extra=also(metavar="N,N..."),
    )
    tile: Annotated[int, Field(ge=16, le=16_384)] | None = Field(
        None, description="Tile size in pixels; the training's image size when absent."
    )
    overlap: Annotated[int, Field(ge=0, le=16_384)] | None = Field(
        None, description="Pixels that neighbouring tiles share, and are blended over; a quarter tile when absent."
    )
    uncertainty: bool = Field(True, description="Write the spread of several draws, too.")
    overwrite: bool = Field(False, description="Replace files of these names.")


class SampleDatasetSettings(DrawingSettings):
    """Settings of ``rsforge sample dataset``."""

    data: PairDataSettings
    side: Literal["auto", "train", "val", "test", "all"] = Field(
        "auto", description="Pairs to draw for; auto takes those of test where the split has them, else of val."
    )
    output_dir: Path = Field(
        Path("dataset_results"), description="Folder for the images.", json_schema_extra=also("--output", basic=True)
    )
    num_samples: Count = Field(10, description="Pairs to draw for, evenly spread over all.")
    vgg_weights: Path | None = Field(None, description=LPIPS_WEIGHTS)
