"""What the user may say to ``rsforge vae``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import (
    BASE_DIR,
    BATCH,
    DATA_DIR,
    DEVICE,
    DEVICES,
    FORMER_SIDES,
    ON_BAD,
    RECOMPUTE,
    SPLIT,
    AverageSettings,
    BatchSize,
    Count,
    CountOrZero,
    DataFolder,
    Device,
    ImageSize,
    Layers,
    LoopSettings,
    OptimSettings,
    RunSettings,
    Share,
    SplitChoice,
    StoppingSettings,
    Weight,
    Width,
    Widths,
)
from rsforge.settings.document_keys import ADAM, DIVISION, JITTER, MIRRORING, SECTIONS
from rsforge.settings.evaluation import EvaluationSettings
from rsforge.settings.images import TileSettings
from rsforge.settings.perceptual import DESCRIPTION, PERCEPTUAL, VGG_WEIGHTS, PerceptualChoice
from rsforge.settings.sections import Section, also
from rsforge.settings.views import ViewSettings

# A map latent has thousands of numbers, so its KL term has a small weight and no target.
MAP_DEFAULTS = {"kl_weight": 1e-6, "kl_target": 0.0, "kl_warmup": 0, "kl_per_pixel": True, "linear_path": True}


LINEAR_START = (
    "Begin as the best linear code that the layers themselves can compute, fitted to the training images; diffusers "
    "loads such an autoencoder. Narrow levels do not hold one: 32 48 do at half the size."
)


class VaeTileSettings(TileSettings):
    """Data"""

    jitter: Share = Field(0.1, description="Strength of random brightness, contrast and saturation.")


class AutoencoderSettings(Section):
    """Autoencoder"""

    latent: Literal["vector", "map"] = Field(
        "vector",
        description="Shape of the latent: numbers for the whole image, or a small image of channels. "
        f"map changes the defaults to kl-weight {MAP_DEFAULTS['kl_weight']}, kl-target 0, kl-warmup 0, and turns "
        "kl-per-pixel and linear-path on.",
        json_schema_extra=also(basic=True),
    )
    latent_dim: Width = Field(128, description="Numbers in a vector latent.")
    latent_channels: Width = Field(4, description="Channels of a map latent.")
    channels: Widths = Field(
        (),
        description="Widths of the levels; when empty 64 128 256 512 for vector, 128 256 512 512 for map. "
        "Each level of a vector, each but the last of a map, halves the side.",
    )
    layers_per_block: Layers = Field(2, description="Residual layers in each level of a map autoencoder.")
    linear_path: bool = Field(
        False,
        description="Begin as a linear code fitted to the training images, of patches for a map, of whole images at "
        "--kl-target nats for a vector: the network learns the remainder. diffusers has no such autoencoder.",
    )
    linear_start: bool = Field(False, description=LINEAR_START)
    gradient_checkpointing: bool = Field(False, description=f"{RECOMPUTE} Map autoencoders alone.")
    kl_weight: Weight = Field(1.0, description="Weight of the KL term after warm-up.")
    kl_warmup: CountOrZero = Field(150, description="Epochs over which the KL weight rises from 0.")
    kl_target: Weight = Field(25.0, description="Information in nats that the latent may carry; 0 is no target.")
    kl_per_pixel: bool = Field(False, description="Divide the weight of the KL term by the numbers of an image.")
    kl_mode: Literal["capacity", "free_bits"] = Field(
        "capacity",
        description="What is penalised: capacity the distance from the target, free_bits what exceeds it.",
    )
    perceptual: PerceptualChoice = Field("auto", description=DESCRIPTION, json_schema_extra=PERCEPTUAL)
    perceptual_weight: Weight = Field(0.03, description="Weight of the perceptual term.")
    vgg_weights: Path | None = Field(None, description=VGG_WEIGHTS)
    chroma_weight: float = Field(
        1.0,
        ge=0.01,
        le=1000,
        description="How many times squared errors of colour count as those of brightness, in the loss and in the "
        "linear path of a map (not in --linear-start): more keeps colours that would be pale. The best model is still "
        "the one with the least plain error.",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_latent(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("latent") == "map":
            return MAP_DEFAULTS | data
        return data

    @model_validator(mode="after")
    def _check_what_the_latent_has(self) -> Self:
        if self.gradient_checkpointing and self.latent != "map":
            raise ValueError("--gradient-checkpointing needs --latent map: a vector autoencoder keeps its activations")
        if self.linear_start and (self.linear_path or self.latent == "vector"):
            raise ValueError(
                "--linear-start needs --latent map and --no-linear-path: the layers themselves are the code"
            )
        if self.linear_path and self.latent == "vector" and not self.kl_target:
            raise ValueError(
                "--linear-path needs --kl-target, since a vector begins as the linear code of so many nats; without it "
                "add --no-linear-path"
            )
        return self


class VaeTrainSettings(Section):
    """Settings of ``rsforge vae train``."""

    file_sections = SECTIONS
    file_keys = (*ADAM, *DIVISION, *MIRRORING, *JITTER)
    former: ClassVar[Mapping[str, Any]] = {**FORMER_SIDES, "linear_path": False, "kl_per_pixel": False}

    run: RunSettings = RunSettings(output_dir=Path("vae_models"))
    data: VaeTileSettings
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    loop: LoopSettings = LoopSettings(epochs=300, batch_size=16, save_every=20, mixed_precision="no")
    optim: OptimSettings = OptimSettings(learning_rate=1e-4, weight_decay=1e-5, lr_scheduler="none")
    average: AverageSettings = AverageSettings(ema=False)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=0, oscillation_threshold=0.0)


VAE_CHECKPOINT = "Checkpoint of the autoencoder."
MADE = {"made": "vae_models/best_model.pt", "by": "vae train"}


class ReconstructFields(Section):
    """Options"""

    checkpoint: Path = Field(description=VAE_CHECKPOINT, json_schema_extra=also("--vae-checkpoint", "--vae", **MADE))
    data_dir: DataFolder = Field(
        description="Folder of images, or one image; the word `synthetic` generates scenes instead.",
        json_schema_extra=also("--image-dir", "--dataset-path", metavar="PATH"),
    )
    output: Path = Field(
        Path("reconstructions.png"),
        description="Picture to write: images above, reconstructions below.",
        json_schema_extra=also(basic=True),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    num_images: Count = Field(16, description="Images to reconstruct.", json_schema_extra=also(basic=True))
    batch_size: BatchSize = Field(16, description=BATCH)
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)


class VaeReconstructSettings(ViewSettings, ReconstructFields):
    """Settings of ``rsforge vae reconstruct``."""


class EvaluateFields(Section):
    """Options"""

    checkpoint: Path = Field(description=VAE_CHECKPOINT, json_schema_extra=also("--vae-checkpoint", "--vae", **MADE))
    data_dir: DataFolder = Field(
        description=DATA_DIR, json_schema_extra=also("--image-dir", "--dataset-path", metavar="PATH")
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    batch_size: BatchSize = Field(16, description=BATCH)
    image_size: ImageSize | None = Field(None, description="Side in pixels; when absent the one of the checkpoint.")
    split: SplitChoice = Field("auto", description=SPLIT)
    evaluation: EvaluationSettings = EvaluationSettings()
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)


class VaeEvaluateSettings(ViewSettings, EvaluateFields):
    """Settings of ``rsforge vae evaluate``."""


class VaeExportSettings(Section):
    """Settings of ``rsforge vae export``."""

    checkpoint: Path = Field(description=VAE_CHECKPOINT, json_schema_extra=also("--vae-checkpoint", "--vae", **MADE))
    output_dir: Path = Field(Path("vae_diffusers"), description="Folder for config.json and the weights.")
    base_dir: Path = Field(Path(), description=BASE_DIR)
    overwrite: bool = Field(False, description="Replace an earlier export.")
