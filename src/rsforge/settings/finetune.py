"""What the user may say to ``rsforge diffusion finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import (
    BATCH,
    FORMER_SIDES,
    OVERLAP,
    RECOMPUTE,
    TEST_FRACTION,
    AverageSettings,
    BatchSize,
    Count,
    ImageSize,
    Layers,
    LoopSettings,
    OptimSettings,
    RunSettings,
    Share,
    ShareBelowOne,
    StoppingSettings,
    Weight,
    Width,
)
from rsforge.settings.captioned import CaptionedFolderSettings
from rsforge.settings.diffusion_sar import FirstAutoencoderSettings, SarUNetSettings
from rsforge.settings.hub import PushSettings
from rsforge.settings.perceptual import VGG_WEIGHTS
from rsforge.settings.pretrained import ModelFormatSettings
from rsforge.settings.sections import Prefix, Section, also
from rsforge.settings.views import ViewSettings

ONLY_SCRATCH = "without --pretrained-model"


class CaptionedTrainingSettings(CaptionedFolderSettings):
    """Data"""

    image_size: ImageSize = Field(
        512,
        description="Width and height in pixels that images are scaled and cropped to.",
        json_schema_extra=also("--resolution", basic=True),
    )
    center_crop: bool = Field(
        True, description="Crop at the centre; otherwise anew in each epoch, which needs --no-latent-cache."
    )
    random_flip: bool = Field(False, description="Mirror every second image left to right; both views are stored.")
    val_fraction: ShareBelowOne = Field(0.1, description="Share of the images held out for validation.")
    test_fraction: ShareBelowOne | None = TEST_FRACTION
    overlap_by_content: bool = Field(True, description=OVERLAP)


class CaptionedImageSettings(ViewSettings, CaptionedTrainingSettings):
    """Data"""


class StartSettings(ModelFormatSettings):
    """Model"""

    pretrained_model: Path | None = Field(
        None,
        description="Stable Diffusion 1.x or 2.x to fine-tune: folder, .safetensors or .ckpt file, or the id of a "
        "model of the hub. Without one a small model is trained from scratch.",
        json_schema_extra=also("--pretrained-model-name-or-path", basic=True),
    )
    prediction: Literal["eps", "v"] | None = Field(
        None,
        description="What the network of a single file predicts, where the file does not say it (a folder's scheduler "
        f"says it); v {ONLY_SCRATCH}.",
    )
    vae_checkpoint: Path | None = Field(
        None,
        description=f"Checkpoint of the autoencoder {ONLY_SCRATCH}; otherwise one is trained first, in the folder "
        "autoencoder of the output folder.",
        json_schema_extra=also("--vae"),
    )


class TextDenoiserSettings(Section):
    """Denoiser"""

    caption_dropout: Share = Field(
        0.1,
        description="Share of training images whose caption is left out, which guidance needs.",
        json_schema_extra=also(basic=True),
    )
    min_snr_gamma: Weight = Field(
        0.0,
        description="Clip of the signal-to-noise loss weight, such as 5; 0 weighs equally.",
        json_schema_extra=also("--snr-gamma"),
    )
    noise_offset: Share = Field(
        0.0, description="Random shift of the noise by channel, such as 0.05, for darker and brighter images."
    )
    timestep_shift: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="Factor on the odds of noise to signal of the timesteps in training; above 1 more noise."
    )
    validation_draws: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None,
        description="Timesteps at which each held-out image is measured, 1 or an even number; without it 4 to 256, "
        "the more the fewer images are held out.",
    )
    gradient_checkpointing: bool = Field(True, description=RECOMPUTE)
    latent_cache: bool = Field(True, description="Encode the images once and train on the stored latents.")
    text_cache: bool = Field(
        True, description="Encode each distinct caption once and train on the stored vectors, where texts are frozen."
    )
    latent_cache_dir: Path | None = Field(
        None, description="Folder of stored latents and vectors; else in the output folder."
    )

    @model_validator(mode="after")
    def _draws_in_pairs(self) -> Self:
        if self.validation_draws is not None and self.validation_draws > 1 and self.validation_draws % 2:
            raise ValueError("--validation-draws must be 1 or even: two from each part of the schedule")
        return self


class AdapterSettings(Section):
    """Adapter"""

    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        description="Train low-rank adapters (LoRA) of this rank on the attention of the U-Net, which itself stays as "
        "it is.",
        json_schema_extra=also("--rank", absent="the whole U-Net is trained", basic=True),
    )
    lora_alpha: Annotated[float, Field(gt=0, le=1e4)] | None = Field(
        None,
        description="What the adapters add is multiplied by alpha / rank.",
        json_schema_extra=also(absent="the rank"),
    )

    @model_validator(mode="after")
    def _alpha_of_a_rank(self) -> Self:
        if self.lora_alpha is not None and self.lora_rank is None:
            raise ValueError("--lora-alpha scales adapters, which are trained with --lora-rank alone")
        return self


class ValidationImageSettings(Section):
    """Validation images"""

    validation_prompt: str = Field(
        "A satellite image of a crop field",
        description="Prompt of the images that are drawn from time to time.",
        json_schema_extra=also("--validation-prompts", basic=True),
    )
    validation_images: Annotated[int, Field(ge=1, le=64)] = Field(4, description="How many are drawn.")
    validation_steps: Count = Field(25, description="Steps of their walk.")
    validation_guidance_scale: Annotated[float, Field(ge=1, le=100)] = Field(
        7.5, description="How much their prompt counts; 1 is no guidance."
    )


class FinetuneLoopSettings(LoopSettings):
    """Training loop"""

    batch_size: BatchSize = Field(16, description=BATCH, json_schema_extra=also("--train-batch-size", basic=True))
    sample_every: Count = Field(
        10, description="Epochs between two sample pictures.", json_schema_extra=also("--validation-epochs")
    )


class FinetuneAverageSettings(AverageSettings):
    """Averaging"""

    ema: bool = Field(
        False,
        description="Keep an exponential moving average of the weights and sample with it.",
        json_schema_extra=also("--use-ema"),
    )


class TextTowerSettings(Section):
    """Text encoder without --pretrained-model"""

    vocab_size: Annotated[int, Field(ge=514, le=65_536)] = Field(
        4096, description="Most tokens of the vocabulary, which is learnt from the captions."
    )
    max_length: Annotated[int, Field(ge=3, le=4096)] = Field(77, description="Tokens of a caption that are read.")
    embedding_dim: Width = Field(768, description="Width of a token's vector.")
    num_heads: Width = Field(12, description="Heads of attention; they must divide the width.")
    num_layers: Layers = Field(12, description="Transformer blocks.")
    learning_rate_factor: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Factor on the learning rate for the text encoder, such as 0.05."
    )


class FinetuneSettings(Section):
    """Settings of ``rsforge diffusion finetune``."""

    variables: ClassVar[dict[str, str]] = {
        "MODEL_NAME": "pretrained_model", "DATA_DIR": "data_dir", "OUTPUT_DIR": "output_dir",
    }  # fmt: skip
    former = FORMER_SIDES

    run: RunSettings = RunSettings(output_dir=Path("RemoteDiff"))
    data: CaptionedImageSettings
    model: StartSettings = StartSettings()
    adapter: AdapterSettings = AdapterSettings()
    denoiser: TextDenoiserSettings = TextDenoiserSettings()
    shown: ValidationImageSettings = ValidationImageSettings()
    unet: Annotated[SarUNetSettings, Prefix("unet")] = SarUNetSettings()
    autoencoder: Annotated[FirstAutoencoderSettings, Prefix("vae")] = FirstAutoencoderSettings()
    text: Annotated[TextTowerSettings, Prefix("text")] = TextTowerSettings()
    vgg_weights: Path | None = Field(None, description=VGG_WEIGHTS)
    loop: FinetuneLoopSettings = FinetuneLoopSettings(
        max_train_steps=3500, batch_size=1, grad_accum=4, max_grad_norm=1.0, mixed_precision="fp16",
        save_every_steps=500, sample_every=10,
    )  # fmt: skip
    optim: OptimSettings = OptimSettings(
        learning_rate=1e-6, weight_decay=0.01, lr_scheduler="constant", lr_min=0.0, lr_warmup_steps=0
    )
    average: FinetuneAverageSettings = FinetuneAverageSettings(ema=True, ema_decay=0.9999)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=0, oscillation_threshold=0.0)
    hub: PushSettings = PushSettings()
